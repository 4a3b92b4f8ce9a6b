import { crc32 } from 'node:zlib'
import type { Peer } from '../../../core/scuba/registry.ts'
import type { AsideBatch, Taken } from '../../../core/scuba/shards/aside.ts'
import { decodeRecord, type JournalRecord } from '../../../core/scuba/wal/record.ts'
import type { PeerCalls } from '../aggregate/call.ts'
import type { Store } from '../leaf/store.ts'
import { asideBatches, asideFolders, asideRecords, dropAside, noteBack, type AsideBack, type AsideFolderState } from './aside-folders.ts'

const ANSWER_MS_MAX = 60_000
const SAID_MS_MAX = 10_000

/** What a leaf set aside, wherever that leaf is. */
export interface AsideSource {
  folders: () => Promise<AsideFolderState[]>
  /** after a number, oldest first */
  batches: (folder: string, after: number) => Promise<AsideBatch[]>
  /** the next of them, with their rows as they may have been sent; empty: there is none */
  records: (folder: string, after: number) => Promise<JournalRecord[]>
  note: (folder: string, back: AsideBack) => Promise<unknown>
  drop: (folder: string) => Promise<unknown>
}

/** Of this leaf itself. */
export const ownAside = (store: Store): AsideSource => ({
  folders: async () => asideFolders(store.dir),
  batches: async (folder, after) => asideBatches(store, folder, after),
  records: async (folder, after) => recordsIn(await asideRecords(store, folder, after)),
  note: async (folder, back) => noteBack(store.dir, folder, back),
  drop: async (folder) => dropAside(store.dir, folder),
})

/** Of another one. */
export function asideOf(calls: PeerCalls, peer: Peer): AsideSource {
  const call = async (method: string, rest = ''): Promise<Buffer> =>
    (await calls.call(peer, method, `/v1/scuba/aside${rest}`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })).body
  const at = (folder: string, rest = ''): string => `/${encodeURIComponent(folder)}${rest}`
  return {
    folders: async () => (parsed(await call('GET')) as { folders: AsideFolderState[] }).folders,
    batches: async (folder, after) =>
      (parsed(await call('GET', at(folder, `/batches?after=${after}`))) as { batches: AsideBatch[] }).batches,
    records: async (folder, after) => recordsIn(await call('GET', at(folder, `/records?after=${after}`))),
    note: (folder, back) => calls.post(peer, `aside${at(folder, '/back')}`, back, AbortSignal.timeout(ANSWER_MS_MAX)),
    drop: (folder) => call('DELETE', at(folder)),
  }
}

/** What another leaf took over; null: it does not say. */
export async function takenBy(calls: PeerCalls, peer: Peer): Promise<Taken[] | null> {
  try {
    const { body } = await calls.call(peer, 'GET', '/v1/scuba/aside', { signal: AbortSignal.timeout(SAID_MS_MAX) })
    return (parsed(body) as { taken: Taken[] }).taken
  } catch {
    // It is away.
    return null
  }
}

const parsed = (body: Buffer): unknown => JSON.parse(body.toString('utf8'))

function recordsIn(bytes: Uint8Array): JournalRecord[] {
  const records: JournalRecord[] = []
  for (let record = decodeRecord(bytes, 0, crc32); record; record = decodeRecord(bytes, record.end, crc32)) records.push(record)
  return records
}
