import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import { linesOf } from '../../../src/platform/streams.ts'
import { createScubaClient } from '../../../src/server/scuba/client.ts'
import { eventually } from '../../support/eventually.ts'
import { FAKETIME_LIBRARY, fakedClock } from '../../support/faketime.ts'
import { Leaf } from './leaf.ts'

const HOUR_MS = 3_600_000

const dir = mkdtempSync(join(tmpdir(), 'scuba-clock-'))
const clockFile = join(dir, 'clock')
const leaf = new Leaf()

const FAKED = fakedClock({ FAKETIME_TIMESTAMP_FILE: clockFile, FAKETIME_NO_CACHE: '1' })

/** The wall clock of the leaf and its engines leaps to so many seconds off ours; the steady clock goes on. */
async function leap(seconds: number): Promise<void> {
  writeFileSync(clockFile, `${seconds >= 0 ? '+' : ''}${seconds}`)
  await sleep(50)
}

beforeAll(async () => {
  if (FAKETIME_LIBRARY === undefined) return
  await leap(0)
  await leaf.start(true, [], FAKED)
})
afterAll(async () => {
  await leaf.remove()
  rmSync(dir, { recursive: true, force: true })
})

test.skipIf(FAKETIME_LIBRARY === undefined)(
  'a clock that leaps six hours back, forth and back again loses no row, adds none twice and drops none as too old (needs faketime)',
  { timeout: 60_000 },
  async () => {
    await leaf.client.putRegistry(
      registrySchema.parse({ version: 1, tables: { leapt: { version: 1, columns: { id: 'BIGINT' } } }, retention: { leapt: { days: 1 } } }),
    )
    let id = 0
    const sent: number[] = []
    for (const hours of [0, -6, 0, 6, 0]) {
      await leap(hours * 3600)
      for (let i = 0; i < 3; i += 1) {
        id += 1
        // Its own time is the true one.
        const body = JSON.stringify({ id, time: Date.now() })
        await leaf.client.send('leapt', body, { key: `row ${id}` })
        expect(await leaf.client.send('leapt', body, { key: `row ${id}` })).toMatchObject({ duplicate: true })
        sent.push(id)
      }
      await leaf.seal('leapt')
      expect((await leaf.client.query('select id from leapt order by id')).rows.flat()).toEqual(sent)
    }
    await leaf.client.send('leapt', '{"again":true}', { key: 'row 1' }).then(
      () => expect.fail('a key was forgotten'),
      (error: unknown) => expect(error).toMatchObject({ code: 'SCUBA_KEY_REUSED' }),
    )
    // What seemed to come from hours ahead is put at the leaf's time, and keeps its own beside it.
    const { rows } = await leaf.client.query(
      'select time_source, count(*), count(time_original) from leapt group by 1 order by 1 nulls first',
    )
    expect(rows).toEqual([
      [null, 12, 0],
      ['ahead', 3, 3],
    ])
    await leaf.end('SIGKILL')
    await leap(-6 * 3600)
    await leaf.start(true, [], FAKED)
    expect((await leaf.client.query('select id from leapt order by id')).rows.flat()).toEqual(sent)
    expect(
      (await leaf.client.query(`select count(*) from leapt`, { sinceMs: Date.now() - HOUR_MS, untilMs: Date.now() + 1000 })).rows,
    ).toEqual([[12]])
  },
)

test.skipIf(FAKETIME_LIBRARY === undefined)(
  'a clock that leaps six hours back and forth invents no alert and loses none: not the next one, and not the one that fires (needs faketime)',
  { timeout: 120_000 },
  async () => {
    const rule = {
      ...{ name: 'errors', table: 'watched', sev: 2, calc: 'ratio(status >= 500)', by: ['service'], fire: '> 50%', no_data: 'notify' },
      ...{ every: '1s', delay: '0s', for: '2s', keep_firing_for: '2s' },
    }
    let hours = 0
    await leap(0)
    const server = spawn(process.execPath, [join(import.meta.dirname, '../../fixtures/alert-server.ts'), JSON.stringify(rule)], {
      env: { ...process.env, ...FAKED },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const told: { type: string; body: { to?: string } }[] = []
    const socket = Promise.withResolvers<string>()
    void (async () => {
      for await (const line of linesOf(server.stdout)) {
        const said = JSON.parse(line) as { socket: string } & (typeof told)[number]
        if (said.type === undefined) socket.resolve(said.socket)
        else told.push(said)
      }
    })()
    const client = createScubaClient(await socket.promise)
    let status = 200
    // As a sender on the same machine: its rows have the time that leapt.
    const send = () => client.send('watched', [{ time: Date.now() + hours * HOUR_MS, service: 'web', status }])
    await send()
    const feed = setInterval(() => void send().catch(() => undefined), 100)
    const states = () => told.map(({ type, body }) => body.to ?? type)
    const leapTo = async (to: number): Promise<void> => {
      hours = to
      await leap(to * 3600)
    }
    try {
      for (const to of [6, -6]) {
        await leapTo(to)
        // As long as its windows take to be full again, and a round more.
        await sleep(5000)
      }
      expect(states()).toEqual([])
      status = 500
      await leapTo(0)
      await eventually('it fires', 20_000, () => states().at(-1) === 'firing')
      await leapTo(6)
      await sleep(5000)
      expect(states()).toEqual(['firing'])
      status = 200
      await leapTo(-6)
      await eventually('it is over', 30_000, () => states().at(-1) === 'inactive')
      expect(states().filter((state) => state !== 'recovering')).toEqual(['firing', 'inactive'])
    } finally {
      clearInterval(feed)
      client.close()
      server.stdin.end()
      await once(server, 'exit')
    }
  },
)
