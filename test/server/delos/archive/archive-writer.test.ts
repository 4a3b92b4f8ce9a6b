import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogletEntry } from '../../../../src/core/contracts/loglet.ts'
import { BatchWriter } from '../../../../src/core/delos/engines/batch.ts'
import { openArchive, readArchive } from '../../../../src/server/delos/archive/archive-reader.ts'
import { openArchiveWriter, type ArchiveWriter } from '../../../../src/server/delos/archive/archive-writer.ts'
import { verifyLog } from '../../../../src/server/delos/verify-log.ts'
import { createLogger } from '../../../../src/platform/logger.ts'

const identity = { cluster: 'c0ffee', server: '1a', name: 'a', leaseTtlMinS: 1 }
const logger = createLogger(null)
let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'muster-archive-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const dirOf = (server: string): string => join(root, 'c0ffee', 'kv', server)
const open = (server = '1a', fileBytesMax = 2000): Promise<ArchiveWriter> =>
  openArchiveWriter({ to: root, identity: { ...identity, server }, fileBytesMax, logger })

/** Batches of 100 bytes or so, each told from the others. */
function batches(from: number, to: number): LogletEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const position = from + i
    const writer = new BatchWriter()
    writer.add(1, Buffer.from(`batch ${position} `.repeat(5)))
    return { position, payload: writer.finish({ timeMs: position * 10, proposer: 1, seq: position }) }
  })
}

async function readAll(from: number, to: number): Promise<LogletEntry[]> {
  const found: LogletEntry[] = []
  for await (const { position, payload } of readArchive(await openArchive(root, null), from, to))
    found.push({ position, payload: new Uint8Array(payload) })
  return found
}
const spans = async (): Promise<object[]> => (await openArchive(root, null)).spans

test('what was committed is read back, over files and processes, and each file names the one before it', async () => {
  for (let from = 1; from <= 91; from += 10) {
    const writer = await open()
    expect(writer.next).toBe(from === 1 ? null : from)
    await writer.append(batches(from, from + 4))
    await writer.append(batches(from + 5, from + 9))
    await writer.commit([])
    await writer.close()
  }
  expect(await spans()).toEqual([{ first: 1, last: 100 }])
  expect(await readAll(1, 100)).toEqual(batches(1, 100))
  expect(await readAll(37, 55)).toEqual(batches(37, 55))
  expect(readdirSync(dirOf('1a')).length).toBeGreaterThan(4)
  expect(await verifyLog(dirOf('1a'))).toMatchObject({ first: 1, last: 100, bad: null })
})

test('what was not committed when its process ended counts for nothing, wherever it was cut off, and is written again', async () => {
  const first = await open()
  await first.append(batches(1, 5))
  await first.commit([])
  // Into the file that is named, past its size, and into one that no manifest names.
  await first.append(batches(6, 30))
  await first.append(batches(31, 40))
  await first.close()
  const files = readdirSync(dirOf('1a')).filter((name) => name.endsWith('.seg'))
  expect(files.length).toBe(2)
  appendFileSync(join(dirOf('1a'), files[0] as string), 'half a record')
  writeFileSync(join(dirOf('1a'), 'manifest.json.new'), '{"format":1,')
  expect(await spans()).toEqual([{ first: 1, last: 5 }])
  const second = await open()
  expect(second.next).toBe(6)
  await second.append(batches(6, 12))
  await second.commit([4])
  await second.close()
  expect(await spans()).toEqual([{ first: 1, last: 12 }])
  expect(await readAll(1, 12)).toEqual(batches(1, 12))
  expect((await openArchive(root, null)).manifests[0]?.skips).toEqual([4])
})

test('a file that is damaged is refused by name; with the archive of another server its positions are read from there', async () => {
  for (const server of ['1a', '2b']) {
    const writer = await open(server)
    for (let from = 1; from <= 41; from += 10) await writer.append(batches(from, from + 9))
    await writer.commit([])
    await writer.close()
  }
  const [file] = readdirSync(dirOf('1a')).filter((name) => name.endsWith('.seg'))
  const spoil = (server: string): void => {
    const path = join(dirOf(server), file as string)
    const bytes = readFileSync(path)
    bytes[300] = (bytes[300] as number) ^ 1
    writeFileSync(path, bytes)
  }
  spoil('1a')
  expect(await readAll(1, 50)).toEqual(batches(1, 50))
  spoil('2b')
  await expect(readAll(1, 50)).rejects.toMatchObject({ code: 'DELOS_ARCHIVE_INVALID', message: expect.stringContaining(file as string) })
})

test('the last file, when it is damaged, is set aside and its positions are wanted again', async () => {
  const writer = await open('1a', 1_000_000)
  await writer.append(batches(1, 20))
  await writer.commit([])
  await writer.close()
  const [file] = readdirSync(dirOf('1a')).filter((name) => name.endsWith('.seg'))
  truncateSync(join(dirOf('1a'), file as string), 700)
  const again = await open('1a', 1_000_000)
  expect(again.next).toBeNull()
  await again.append(batches(1, 21))
  await again.commit([])
  await again.close()
  expect(await readAll(1, 21)).toEqual(batches(1, 21))
})

test('a hole is said to be one: both sides are there, and reading over it is refused', async () => {
  const writer = await open()
  await writer.append(batches(1, 5))
  await writer.append(batches(9, 12))
  await writer.commit([])
  await writer.close()
  expect(await spans()).toEqual([
    { first: 1, last: 5 },
    { first: 9, last: 12 },
  ])
  await expect(readAll(1, 12)).rejects.toMatchObject({ code: 'DELOS_ARCHIVE_INVALID', message: expect.stringContaining('position 6') })
  expect(await verifyLog(dirOf('1a'))).toMatchObject({ bad: { kind: 'missing', position: 6 } })
})

test('the folder of another server, and a manifest that cannot be read, are left alone', async () => {
  const writer = await open()
  await writer.append(batches(1, 5))
  await writer.commit([])
  await writer.close()
  cpSync(dirOf('1a'), dirOf('2b'), { recursive: true })
  await expect(open('2b')).rejects.toMatchObject({ code: 'DELOS_ARCHIVE_INVALID' })
  writeFileSync(join(dirOf('1a'), 'manifest.json'), '{}')
  await expect(open()).rejects.toMatchObject({ code: 'DELOS_ARCHIVE_INVALID' })
  expect(readdirSync(dirOf('1a')).length).toBe(2)
})
