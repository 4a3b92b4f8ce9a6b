import { closeSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { encodeSegmentHeader } from '../../../src/core/delos/log/segment.ts'
import { openFileLoglet, type FileLoglet } from '../../../src/server/delos/file-loglet.ts'
import { paceOf, prepareSegment } from '../../../src/server/delos/segment-files.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-loglet-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const SMALL = { segmentBytes: 4096, markAfterMs: 5 }
const text = (value: string): Uint8Array => Buffer.from(value)
const texts = (log: FileLoglet, from = log.head()): string[] => {
  const found: string[] = []
  for (let at = from; ;) {
    const entries = log.readNext(at, 7)
    if (entries.length === 0) return found
    for (const entry of entries) found.push(`${entry.position}:${Buffer.from(entry.payload).toString()}`)
    at += entries.length
  }
}
const segments = (): string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort()
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
  )

describe('appending and reading', () => {
  test('entries get positions from 1 on, in order, and are read back from any position', async () => {
    const log = await openFileLoglet(dir, SMALL)
    expect([log.head(), log.checkTail(), log.readNext(1, 10)]).toEqual([1, 1, []])
    expect(await log.append([text('a'), text('b')])).toBe(1)
    expect(await log.append([text('')])).toBe(3)
    expect(log.checkTail()).toBe(4)
    expect(texts(log)).toEqual(['1:a', '2:b', '3:'])
    expect(texts(log, 2)).toEqual(['2:b', '3:'])
    await log.close()
  })

  test('appends of one turn of the event loop share one batch and keep their order', async () => {
    const log = await openFileLoglet(dir, SMALL)
    const positions = await Promise.all(Array.from({ length: 100 }, (_, i) => log.append([text(`e${i}`)])))
    expect(positions).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(log.stats()).toMatchObject({ batches: 1, entries: 100 })
    await log.close()
  })

  test('a log over many segment files is the same after it is opened again', async () => {
    const log = await openFileLoglet(dir, SMALL)
    const expected: string[] = []
    for (let i = 1; i <= 200; i += 1) {
      const body = `${i}-${'x'.repeat((i * 37) % 300)}`
      expected.push(`${await log.append([text(body)])}:${body}`)
    }
    expect(texts(log)).toEqual(expected)
    await log.close()
    expect(segments().length).toBeGreaterThan(5)

    const again = await openFileLoglet(dir, SMALL)
    expect(again.repaired).toBeNull()
    expect(texts(again)).toEqual(expected)
    expect(await again.append([text('next')])).toBe(201)
    expect(texts(again, 201)).toEqual(['201:next'])
    await again.close()
  })

  test('an append that no segment file can hold is refused, and the log goes on', async () => {
    const log = await openFileLoglet(dir, SMALL)
    expect(await codeOf(log.append([new Uint8Array(5000)]))).toBe('DELOS_ENTRY_TOO_LARGE')
    expect(await log.append([text('a')])).toBe(1)
    await log.close()
  })

  test('a sealed log refuses appends, also after it is opened again', async () => {
    const log = await openFileLoglet(dir, SMALL)
    await log.append([text('a')])
    const inFlight = log.append([text('b')])
    expect(await log.seal()).toBe(3)
    expect(await inFlight).toBe(2)
    expect(await codeOf(log.append([text('c')]))).toBe('DELOS_SEALED')
    await log.close()
    const again = await openFileLoglet(dir, SMALL)
    expect(again.isSealed).toBe(true)
    expect(await codeOf(again.append([text('c')]))).toBe('DELOS_SEALED')
    expect(texts(again)).toEqual(['1:a', '2:b'])
    await again.close()
  })

  test('trimming gives up whole files below a position, never an entry from it on', async () => {
    const log = await openFileLoglet(dir, SMALL)
    for (let i = 1; i <= 50; i += 1) await log.append([text('x'.repeat(400))])
    const before = segments().length
    await log.prefixTrim(30)
    expect(log.head()).toBeGreaterThan(1)
    expect(log.head()).toBeLessThanOrEqual(30)
    expect(segments().length).toBeLessThan(before)
    expect(log.readNext(30, 1)).toHaveLength(1)
    expect(() => log.readNext(1, 1)).toThrow(/no longer kept/)
    await log.close()
    const again = await openFileLoglet(dir, SMALL)
    expect(again.head()).toBe(log.head())
    expect(texts(again)).toHaveLength(51 - again.head())
    await again.close()
  })
})

describe('a log that was begun before its first append', () => {
  test('has its first file in its place, is opened again without an entry, and is written to as any other', async () => {
    const log = await openFileLoglet(dir, SMALL)
    await log.begin(true)
    expect(segments()).toEqual(['0000000000000001.seg'])
    await log.close()
    const again = await openFileLoglet(dir, SMALL)
    expect([again.repaired, again.isSealed, again.head(), again.checkTail()]).toEqual([null, false, 1, 1])
    await again.begin(true)
    expect(await again.append([text('a')])).toBe(1)
    for (let i = 2; i < 100; i += 1) await again.append([text('x'.repeat(100))])
    expect(segments().length).toBeGreaterThan(1)
    await again.close()
    const last = await openFileLoglet(dir, SMALL)
    expect([last.repaired, last.checkTail(), texts(last)[0]]).toEqual([null, 100, '1:a'])
    await last.close()
  })
})

describe('the next segment file', () => {
  const BYTES = 3 * 1024 * 1024
  const prepared = (): Buffer => readFileSync(join(dir, 'next.prepared'))

  test('is full of zeros, whether it was made at once, in slices, or hurried on in the middle', async () => {
    for (const hurry of ['at once', 'never', 'later']) {
      const pace = paceOf(hurry === 'at once')
      const making = prepareSegment(dir, BYTES, pace)
      if (hurry === 'later') setTimeout(() => (pace.isHurried = true), 2)
      closeSync(await making)
      expect(prepared().equals(Buffer.alloc(BYTES))).toBe(true)
    }
  })

  test('that nobody wants any more is left, and gone', async () => {
    const pace = paceOf(false)
    const making = prepareSegment(dir, 64 * BYTES, pace)
    pace.isGivenUp = true
    await expect(making).rejects.toThrow('closed')
    expect(readdirSync(dir)).toEqual([])
  })
})

describe('what a crash or a disk leaves behind', () => {
  /** Three acknowledged batches (entries 1, 2–3, 4), and the file's bytes before and after the last of them. */
  async function threeBatches(): Promise<{ file: string; before: Buffer; after: Buffer }> {
    const log = await openFileLoglet(dir, { segmentBytes: 4096, markAfterMs: 100_000 })
    await log.append([text('one')])
    await log.append([text('two'), text('three')])
    const file = join(dir, segments()[0] ?? '')
    const before = readFileSync(file)
    await log.append([text('four')])
    const after = readFileSync(file)
    await log.close()
    return { file, before, after }
  }

  test('a write torn at any byte is cut, and what was acknowledged before it stays', async () => {
    const { file, before, after } = await threeBatches()
    const start = before.findIndex((byte, i) => byte !== after[i])
    const end = after.findLastIndex((byte) => byte !== 0) + 1
    expect(end).toBeGreaterThan(start)
    for (let cut = start; cut < end; cut += 1) {
      // The part of the last write before `cut` reached the disk; in one case zeros follow, in the other the file ends.
      for (const isCutShort of [false, true]) {
        writeFileSync(file, Buffer.concat([after.subarray(0, cut), before.subarray(cut)]))
        if (isCutShort) truncateSync(file, cut)
        const log = await openFileLoglet(dir, SMALL)
        expect(texts(log)).toEqual(['1:one', '2:two', '3:three'])
        expect(await log.append([text('new')])).toBe(4)
        expect(texts(log, 4)).toEqual(['4:new'])
        await log.close()
        for (const name of segments().slice(1)) rmSync(join(dir, name))
      }
    }
  })

  test('a flipped bit in an acknowledged entry is refused, naming file, offset and position', async () => {
    const { file, after } = await threeBatches()
    const flipped = Buffer.from(after)
    const at = flipped.indexOf('two')
    flipped[at] = (flipped[at] ?? 0) ^ 0x10
    writeFileSync(file, flipped)
    const error = await openFileLoglet(dir, SMALL).then(
      () => null,
      (failure: unknown) => failure,
    )
    expect(error).toMatchObject({ code: 'DELOS_LOG_CORRUPT', exit: 6, details: { file, position: 2 } })
    expect(readFileSync(file).equals(flipped)).toBe(true)
  })

  test('damage of the last entry is told from a torn write once the log was idle', async () => {
    const log = await openFileLoglet(dir, SMALL)
    await log.append([text('last')])
    await new Promise((resolve) => setTimeout(resolve, 80))
    const file = join(dir, segments()[0] ?? '')
    const flipped = readFileSync(file)
    await log.close()
    const at = flipped.indexOf('last')
    flipped[at] = (flipped[at] ?? 0) ^ 1
    writeFileSync(file, flipped)
    expect(await codeOf(openFileLoglet(dir, SMALL))).toBe('DELOS_LOG_CORRUPT')
  })

  test('a missing file in the middle is refused', async () => {
    const log = await openFileLoglet(dir, SMALL)
    for (let i = 1; i <= 40; i += 1) await log.append([text('x'.repeat(400))])
    await log.close()
    rmSync(join(dir, segments()[1] ?? ''))
    expect(await codeOf(openFileLoglet(dir, SMALL))).toBe('DELOS_LOG_CORRUPT')
  })

  test('an entry that rots while the log is open is refused when it is read', async () => {
    const { file, after } = await threeBatches()
    const log = await openFileLoglet(dir, SMALL)
    const flipped = Buffer.from(after)
    const at = flipped.indexOf('three')
    flipped[at] = (flipped[at] ?? 0) ^ 1
    writeFileSync(file, flipped)
    expect(() => log.readNext(2, 1)).toThrow(/damaged at offset/)
    await log.close()
  })

  test('a log written by a newer version is left alone', async () => {
    const { file } = await threeBatches()
    const bytes = readFileSync(file)
    bytes.set(encodeSegmentHeader({ format: 2, firstPosition: 1, loglet: 7 }))
    writeFileSync(file, bytes)
    expect(await codeOf(openFileLoglet(dir, SMALL))).toBe('STATE_NEWER')
    expect(readFileSync(file).equals(bytes)).toBe(true)
  })
})
