import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openFileLoglet } from '../../../src/server/delos/file-loglet.ts'
import { logsBelow, verifyLog } from '../../../src/server/delos/verify-log.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-verify-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const SMALL = { segmentBytes: 4096, markAfterMs: 60_000 }
const files = (): string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort()
    .map((name) => join(dir, name))
const flip = (file: string, offset: number): void => {
  const bytes = readFileSync(file)
  bytes[offset] = (bytes[offset] ?? 0) ^ 0xff
  writeFileSync(file, bytes)
}

/** A log of 56 entries over several files. */
async function written(): Promise<void> {
  const log = await openFileLoglet(dir, SMALL)
  for (let i = 1; i <= 56; i += 1) await log.append([Buffer.from(`${i}-${'x'.repeat(200)}`)])
  await log.close()
}

describe('a log', () => {
  test('that is whole is told so, with its positions', async () => {
    await written()
    expect(files().length).toBeGreaterThan(2)
    expect(await verifyLog(dir)).toMatchObject({ first: 1, last: 56, bad: null, files: files().length })
    expect(await verifyLog(dir, { from: 20, to: 30 })).toMatchObject({ first: 20, last: 30, bad: null })
  })

  test('is only read: no byte of it changes, also when its end is torn', async () => {
    await written()
    const newest = files().at(-1) as string
    const { bad } = await verifyLog(dir)
    expect(bad).toBeNull()
    const bytes = readFileSync(newest)
    const end = bytes.findLastIndex((byte) => byte !== 0)
    bytes[end + 200] = 7
    writeFileSync(newest, bytes)
    const verdict = await verifyLog(dir)
    expect(verdict.bad).toMatchObject({ kind: 'torn', position: 57, file: newest })
    expect(readFileSync(newest)).toEqual(bytes)
  })

  test('with a flipped bit before its end is rotten there, and before that position it is not', async () => {
    await written()
    const [first, second] = files() as [string, string]
    flip(second, 64 + 48 + 10)
    const position = Number.parseInt(second.slice(-20, -4), 16)
    expect((await verifyLog(dir)).bad).toMatchObject({ kind: 'rot', position, file: second, offset: 64 })
    expect((await verifyLog(dir, { to: position - 1 })).bad).toBeNull()
    flip(first, 3)
    expect((await verifyLog(dir)).bad).toMatchObject({ kind: 'rot', position: 1, file: first, offset: 0 })
    expect((await verifyLog(dir, { from: position + 40 })).bad).toBeNull()
  })

  test('without one of its files misses those positions', async () => {
    await written()
    const [, second, third] = files() as [string, string, string]
    const [from, to] = [second, third].map((file) => Number.parseInt(file.slice(-20, -4), 16)) as [number, number]
    rmSync(second)
    expect((await verifyLog(dir)).bad).toMatchObject({
      kind: 'missing',
      position: from,
      reason: `positions up to ${to - 1} are in no file`,
    })
  })

  test('that is being written to is whole', async () => {
    const log = await openFileLoglet(dir, SMALL)
    let isOver = false
    const writing = (async () => {
      for (let i = 0; !isOver; i += 1) await log.append([Buffer.from(`${i}`)])
    })()
    await new Promise((resolve) => setTimeout(resolve, 20))
    for (let i = 0; i < 3; i += 1) expect((await verifyLog(dir)).bad).toBeNull()
    isOver = true
    await writing
    await log.close()
  })
})

test('logs are found in a data directory, however deep; without any it is refused', async () => {
  mkdirSync(join(dir, 'log', 'kv'), { recursive: true })
  await expect(logsBelow(dir)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(logsBelow(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const log = await openFileLoglet(join(dir, 'log', 'kv'), SMALL)
  await log.append([Buffer.from('a')])
  expect(await logsBelow(dir)).toEqual([join(dir, 'log', 'kv')])
  await log.close()
})
