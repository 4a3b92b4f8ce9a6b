import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Feature } from '../../../../src/core/delos/virtual-log/features.ts'
import type { ServeOptions } from '../../../../src/server/delos/serve/options.ts'
import { startServing, type Serving } from '../../../../src/server/delos/serve/serve.ts'
import { getPrefix, putKey } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { freePort } from '../../../support/free-port.ts'
import { optionsOf } from '../../../support/serve-flags.ts'
import { ask } from '../virtual-log/load.ts'

const LOUDER: Feature = { name: 'louder', what: 'keys are shouted' }
const KNOWN = { features: [LOUDER] }

/** Three real servers in this process, whose programs know what a test gives them. */
const root = mkdtempSync(join(tmpdir(), 'muster-features-'))
const names = ['a', 'b', 'c'] as const
const urls = new Map<string, string>()
const options = new Map<string, ServeOptions>()
const running = new Map<string, Serving>()

const start = async (name: string, more: Partial<ServeOptions>): Promise<void> => {
  running.set(name, await startServing({ ...(options.get(name) as ServeOptions), ...more }))
}
const close = async (name: string): Promise<void> => {
  await running.get(name)?.close()
  running.delete(name)
}
const urlOf = (name: string): string => urls.get(name) as string
const muster = async (...args: string[]): Promise<{ code: number | null; said: string }> => {
  const child = spawn(process.execPath, [BIN, 'delos', 'log', ...args, '--endpoints', urlOf('a')], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (said += part.toString()))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })))
}
interface Row {
  since: number | null
  knownBy: string[]
  unknownTo: string[]
}
const rowAt = async (name: string): Promise<Row> => (await ask(urlOf(name), 'log/features')).body.features[0]

beforeAll(async () => {
  const peers = new Map<string, number>()
  for (const name of names) {
    urls.set(name, `http://127.0.0.1:${await freePort()}`)
    peers.set(name, await freePort())
  }
  const cluster = names.map((name) => `${name}=http://127.0.0.1:${peers.get(name)}`).join(',')
  for (const name of names)
    options.set(
      name,
      optionsOf({
        name,
        'data-dir': join(root, name),
        'listen-client-urls': urlOf(name),
        'listen-peer-urls': `http://127.0.0.1:${peers.get(name)}`,
        'initial-cluster': cluster,
        profile: 'wan',
      }),
    )
  for (const name of names) await start(name, name === 'c' ? {} : KNOWN)
}, 120_000)
afterAll(async () => {
  for (const name of names) await close(name)
  rmSync(root, { recursive: true, force: true })
})

test('a feature is dormant until every server knows it; enabled, it holds from a position on, and stops who does not know it', async () => {
  await eventually('all are heard', 30_000, async () => {
    const { knownBy, unknownTo } = await rowAt('a')
    return knownBy.length === 2 && unknownTo.join() === 'c'
  })
  const list = await muster('features')
  expect([list.code, list.said]).toEqual([0, expect.stringMatching(/louder\s+dormant/)])
  const early = await muster('features', 'enable', 'louder', '--yes')
  expect([early.code, early.said]).toEqual([2, expect.stringContaining('c would stop: the program there does not know louder')])
  expect((await muster('features', 'enable', 'quieter', '--yes')).said).toContain('there is no feature quieter')

  await close('c')
  await start('c', KNOWN)
  await eventually('c knows it', 30_000, async () => (await rowAt('a')).knownBy.length === 3)
  expect(await putKey(urlOf('a'), 'before', '1')).not.toBeNull()
  const plan = await muster('features', 'enable', 'louder', '--plan')
  expect([plan.code, plan.said]).toEqual([0, expect.stringContaining('nothing was changed')])
  expect((await muster('features', 'enable', 'louder')).code).toBe(4)
  const done = await muster('features', 'enable', 'louder', '--yes')
  expect([done.code, done.said]).toEqual([0, expect.stringMatching(/louder is enabled from position \d+ on/)])

  // It holds from where a new loglet begins: nobody can have applied anything there without knowing.
  const { body } = await ask(urlOf('a'), 'log/loglets')
  expect((await rowAt('a')).since).toBe(body.chain.at(-1).firstPosition)
  expect(body.chain.length).toBe(2)
  expect(await putKey(urlOf('b'), 'after', '1')).not.toBeNull()
  await eventually('c has it', 20_000, async () => (await getPrefix(urlOf('c'), 'after', true)).size === 1)

  // A program of before starts on the same data, and applies nothing.
  await close('c')
  await expect(start('c', {})).rejects.toMatchObject({
    code: 'STATE_NEWER',
    message: expect.stringContaining('the feature louder enabled from position'),
  })
  await start('c', KNOWN)
  await eventually('c again', 30_000, async () => (await getPrefix(urlOf('c'), 'after')).size === 1)
}, 180_000)
