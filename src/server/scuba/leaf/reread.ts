import { statSync } from 'node:fs'
import { MusterError } from '../../../core/kernel/errors.ts'
import { mendTable } from './mend.ts'
import { differs } from './segment-digest.ts'
import type { Store } from './store.ts'

/** A table's files are compared this often at most: what cannot be read for another reason is not to cost their size each time. */
const COMPARE_EVERY_MS = 60_000
/** table → when its files were compared, ms */
const comparedMs = new WeakMap<Store, Map<string, number>>()

/**
 * Asks a question that reads tables. When the engine stumbles over a file, the segments that are not what was written are given up
 * and chunks taken on trust are looked through; then it is asked once more: that answer says what is missing.
 */
export async function reread<T>(store: Store, tables: readonly string[], ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    // The place of some segments went away meanwhile: without them, the answer says so.
    if (error instanceof MusterError && error.code === 'SCUBA_DOWN' && (store.away?.trouble ?? null) !== null) return ask()
    if (!isOfFile(error)) throw error
    let changed = 0
    for (const table of tables) changed += (await mendTable(store, table)) + (await loseBroken(store, table, signal))
    if (changed === 0) throw error
    return ask()
  }
}

/** The engine has no code for it: files that are gone, cut or bent are told in many words, some of them in those of a wrong statement. */
function isOfFile(error: unknown): boolean {
  if (!(error instanceof MusterError)) return false
  if (error.code === 'SCUBA_DOWN') return /^(IO|Invalid) Error: /.test(error.message)
  return error.code === 'SCUBA_SQL' && /\b(file|parquet)\b/i.test(error.message)
}

/** Gives up what is gone or cut at once, and what is bent when it is due to be compared. Gives how many segments that were. */
async function loseBroken(store: Store, table: string, signal = new AbortController().signal): Promise<number> {
  const isDue = isComparedNow(store, table, Date.now())
  let lost = 0
  for (const segment of store.ownSegments(table)) {
    const path = store.segmentPath(segment.file)
    const size = statSync(path, { throwIfNoEntry: false })?.size
    if (size === segment.bytes && !isDue) continue
    const reason = await differs(path, segment.sha256, Infinity, signal)
    if (reason === null || signal.aborted) continue
    // It may have been replaced or dropped while it was read.
    if (!store.segments(table).some(({ file }) => file === segment.file)) continue
    await store.lose(segment, reason)
    lost += 1
  }
  return lost
}

function isComparedNow(store: Store, table: string, nowMs: number): boolean {
  const known = comparedMs.get(store) ?? new Map<string, number>()
  comparedMs.set(store, known)
  if (nowMs - (known.get(table) ?? 0) < COMPARE_EVERY_MS) return false
  known.set(table, nowMs)
  return true
}
