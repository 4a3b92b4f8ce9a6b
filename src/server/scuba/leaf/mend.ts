import { open, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { shapeOf } from '../../../core/scuba/declared/shape.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { fitColumns } from '../../../core/scuba/raw/fit.ts'
import { RowScanner } from '../../../core/scuba/raw/scan.ts'
import { shapeKey } from '../../../core/scuba/raw/shape.ts'
import { parseBatch, type Batch } from './batch.ts'
import { addHours } from './raw-chunks.ts'
import { inflated } from './raw-batch.ts'
import type { Store } from './store.ts'
import type { Chunk, TableTail } from './table.ts'

/** Looked at or parsed at once: for so long nothing else happens in the leaf. */
const SLICE_BYTES = 512 * 1024
const LINE_END = 0x0a

/** As {@link mend}, for a table by its name; a seal that is under way mends it itself. */
export async function mendTable(store: Store, name: string): Promise<number> {
  const tail = store.tails().find((one) => one.name === name)
  if (!tail?.chunks.some(({ onTrust }) => onTrust)) return 0
  while (tail.isSealing) await sleep(10)
  tail.isSealing = true
  try {
    return await mend(store, tail)
  } finally {
    tail.isSealing = false
  }
}

/**
 * Looks through the chunks that were taken on trust. What cannot be kept as it stands is parsed line by line, as it would have been before
 * the receipt: lines that are no rows go to the quarantine. Nobody else may change the table's chunks meanwhile.
 * @returns how many chunks that were
 */
export async function mend(store: Store, tail: TableTail): Promise<number> {
  let mended = 0
  for (const chunk of [...tail.chunks]) {
    if (chunk.onTrust !== true) continue
    const lines = await linesOf(chunk)
    const scanner = new RowScanner(store.registry.current.tables[tail.name]?.timeField ?? null)
    if (!(await isAsItStands(tail, chunk, lines, scanner))) {
      const parsed = await parsedChunk(store, tail, chunk, lines)
      tail.chunks.splice(tail.chunks.indexOf(chunk), 1, parsed)
      store.log.warn('a chunk that was taken on trust was parsed', { table: tail.name, rows: parsed.rows, of: chunk.rows })
      mended += 1
    }
    chunk.onTrust = false
  }
  return mended
}

async function linesOf({ path, raw }: Chunk): Promise<Buffer> {
  const bytes = await readFile(path)
  return inflated({ encoding: raw?.encoding ?? 'none', bytes })
}

function* slicesOf(lines: Buffer): Generator<Buffer> {
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf(LINE_END, at + SLICE_BYTES)
    const stop = end < 0 ? lines.length : end + 1
    yield lines.subarray(at, stop)
    at = stop
  }
}

async function isAsItStands({ columns }: TableTail, { sinceMs, raw }: Chunk, lines: Buffer, scanner: RowScanner): Promise<boolean> {
  for (const slice of slicesOf(lines)) {
    const scan = scanner.scan(slice, sinceMs)
    if (scan === null || !raw || shapeKey(scan.shape) !== shapeKey(raw.shape) || !fitColumns(scan, columns, false, sinceMs)) return false
    await setImmediate()
  }
  return true
}

/** The chunk's rows in a chunk as those of small batches. Its bad lines are durable in the quarantine then. */
async function parsedChunk(store: Store, tail: TableTail, chunk: Chunk, lines: Buffer): Promise<Chunk> {
  const path = join(store.dir, 'chunks', `${basename(chunk.path).split('~')[0]}-mended.ndjson`)
  const made: Chunk = {
    ...{ path, kind: 'chunk', bytes: 0, rows: 0, minUs: Infinity, maxUs: 0, hours: new Map(), madeFrom: chunk.path },
    ...{ throughSeq: chunk.throughSeq, sinceMs: chunk.sinceMs },
  }
  const quarantined: Batch['quarantined'] = []
  const shape = shapeOf(store.registry.current.tables[tail.name])
  // After a crash it is made anew from the raw chunk, so it needs no sync.
  await rm(path, { force: true })
  const file = await open(path, 'wx', 0o600)
  let line = 0
  try {
    for (const slice of slicesOf(lines)) {
      const batch = parseBatch(slice, tail.columns, chunk.sinceMs, false, shape)
      await file.write(batch.payload)
      made.bytes += batch.payload.length
      made.rows += batch.rows
      made.minUs = Math.min(made.minUs, batch.minUs)
      made.maxUs = Math.max(made.maxUs, batch.maxUs)
      addHours(made.hours, batch.hours)
      for (const bad of batch.quarantined.slice(0, LIMITS.quarantineLinesMax - quarantined.length))
        quarantined.push({ ...bad, line: bad.line + line })
      line += batch.rows + batch.quarantinedCount
    }
  } finally {
    await file.close()
  }
  // Nothing of it was a row.
  if (made.rows === 0) Object.assign(made, { minUs: chunk.minUs, maxUs: chunk.minUs })
  await store.quarantineOnce(tail.name, `mended ${basename(chunk.path)}`, quarantined)
  return made
}
