import { z } from 'zod'
import { isRefusal, refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { AsideFolder, AsideSettled } from '../../../core/scuba/operations/aside.ts'
import { asideKey, mayGoBack, takenThrough, type AsideBatch } from '../../../core/scuba/shards/aside.ts'
import { SHARD_HEAD, shardHead } from '../../../core/scuba/shards/fence.ts'
import type { JournalRecord } from '../../../core/scuba/wal/record.ts'
import type { Receipt } from '../../../core/scuba/wire-types.ts'
import { placeOf } from '../aggregate/route.ts'
import type { Leaf } from '../leaf/http.ts'
import type { AsideFolderState } from './aside-folders.ts'
import { asideOf, ownAside, takenBy, type AsideSource } from './aside-source.ts'

/** The leaf that knows all others. */
export type Merging = Pick<Leaf, 'store' | 'peers' | 'sealer' | 'name' | 'held'>

/** Head of rows that are put back: what their sender gave with them. */
export const BACK_HEAD = 'x-muster-back'
export const backHeadSchema = z.object({
  table: z.string(),
  /** under which they are known, and the digest of the bytes they came with first; empty: of these */
  key: z.string(),
  digest: z.string(),
  /** received, ms */
  atMs: z.number(),
})
type BackHead = z.output<typeof backHeadSchema>

const ANSWER_MS_MAX = 60_000

interface Found {
  folder: AsideFolderState
  /** null: no leaf says what it has */
  through: number | null
  batches: AsideBatch[]
}

/** What a leaf set aside and what of it only that leaf had, as the one that knows all others sees it. @throws NOT_FOUND, SCUBA_DOWN */
export async function listAside(leaf: Merging, id: string): Promise<{ leaf: string; folders: AsideFolder[] }> {
  const found = await find(leaf, id, sourceOf(leaf, id))
  return {
    leaf: id,
    folders: found.map(({ folder, through, batches }) => ({
      ...{ name: folder.name, sinceMs: Math.floor(folder.sinceMs), rows: folder.rows, takenThrough: through },
      ...{ isSettled: folder.isSettled, sealed: sealedOf(folder, through) },
      batches: batches.map(({ seq, table, rows, minUs, maxUs, atMs, key }) => ({
        ...{ seq, table, rows, fromMs: Math.floor(minUs / 1000), toMs: Math.floor(maxUs / 1000), receivedMs: atMs, key },
        state: folder.seqs.includes(seq) ? ('back' as const) : ('waits' as const),
      })),
    })),
  }
}

/**
 * Puts back what only that leaf had, each batch under its key, or one of its number: once, however often it is begun. A batch whose key is known is there already.
 * @param isSure only what needs nobody's word
 */
export async function mergeAside(
  leaf: Merging,
  id: string,
  { isPlan, isSure }: { isPlan: boolean; isSure: boolean },
): Promise<AsideSettled> {
  const source = sourceOf(leaf, id)
  const done: AsideSettled = { leaf: id, merged: 0, rows: 0, known: 0, left: 0, dropped: 0, droppedRows: 0 }
  for (const { folder, through, batches } of await find(leaf, id, source)) {
    const waiting = batches.filter(({ seq }) => !folder.seqs.includes(seq))
    const isTaken = (batch: AsideBatch): boolean =>
      through !== null &&
      leaf.store.registry.current.tables[batch.table] !== undefined &&
      (!isSure || mayGoBack(batch, Date.now(), LIMITS.dedupeMs))
    const going = new Map(waiting.filter(isTaken).map((batch) => [batch.seq, batch]))
    done.left += waiting.length - going.size
    if (isPlan) {
      done.merged += going.size
      for (const { rows } of going.values()) done.rows += rows
      continue
    }
    for (let after = through ?? 0; going.size > 0;) {
      const records = await source.records(folder.name, after)
      if (records.length === 0) break
      const seqs: number[] = []
      for (const record of records) {
        const { seq } = record.header
        after = seq
        if (!going.delete(seq)) continue
        const isNew = await putBack(leaf, id, folder.name, record)
        done.merged += isNew ? 1 : 0
        done.known += isNew ? 0 : 1
        done.rows += isNew ? record.header.rows : 0
        seqs.push(seq)
      }
      await source.note(folder.name, { seqs, isSettled: false })
    }
    const isSettled = through !== null && sealedOf(folder, through).length === 0 && waiting.every((batch) => isTaken(batch))
    if (isSettled && !folder.isSettled) await source.note(folder.name, { seqs: [], isSettled })
  }
  return done
}

/** Removes what a leaf set aside. */
export async function dropAllAside(leaf: Merging, id: string, isPlan: boolean): Promise<AsideSettled> {
  const source = sourceOf(leaf, id)
  const done: AsideSettled = { leaf: id, merged: 0, rows: 0, known: 0, left: 0, dropped: 0, droppedRows: 0 }
  for (const { folder, batches } of await find(leaf, id, source)) {
    done.dropped += 1
    for (const { seq, rows } of batches) if (!folder.seqs.includes(seq)) done.droppedRows += rows
    if (!isPlan) await source.drop(folder.name)
  }
  return done
}

/** Rows that come back: to the leaf of their key, as they would have come in. */
export async function takeBack(leaf: Merging, head: BackHead, body: Buffer, shard: string | undefined): Promise<Receipt> {
  const { table, key, digest, atMs } = head
  const place = await placeOf(leaf, table, key, { isRouted: shard, mayGoElsewhere: false })
  if (place !== null) {
    const headers = { [BACK_HEAD]: encodeURIComponent(JSON.stringify(head)), [SHARD_HEAD]: shardHead(place.shard) }
    const signal = AbortSignal.timeout(ANSWER_MS_MAX)
    const { body: answer } = await leaf.peers.calls.call(place.peer, 'POST', '/v1/scuba/aside-rows', { body, headers, signal })
    return JSON.parse(answer.toString('utf8')) as Receipt
  }
  const { store } = leaf
  return store.ingest(table, body, { key, ack: store.ackOf(table), atMs, ...(digest === '' ? {} : { digest }) })
}

async function putBack(leaf: Merging, id: string, folder: string, { header, payload }: JournalRecord): Promise<boolean> {
  const { seq, table, at: atMs, key } = header
  const head = { table, key: key?.key ?? asideKey(id, folder, seq), digest: key?.digest ?? '', atMs }
  try {
    return !(await takeBack(leaf, head, Buffer.from(payload), undefined)).duplicate
  } catch (error) {
    // The key came there before with other rows: these are as good.
    if (isRefusal(error) && error.code === 'SCUBA_KEY_REUSED') return false
    throw error
  }
}

async function find(leaf: Merging, id: string, source: AsideSource): Promise<Found[]> {
  const folders = await source.folders()
  if (folders.length === 0) return []
  const others = leaf.peers.list.filter((peer) => peer.id !== id)
  const said = await Promise.all(others.map(async (other) => (leaf.peers.isSilent(other.id) ? null : takenBy(leaf.peers.calls, other))))
  const taken = [...(id === leaf.name ? [] : leaf.held.taken()), ...said.flatMap((one) => one ?? [])]
  return Promise.all(
    folders.map(async (folder) => {
      const through = takenThrough(id, folder.name, taken, !said.includes(null))
      return { folder, through, batches: await source.batches(folder.name, through ?? 0) }
    }),
  )
}

/** Tables that had batches after the last copied one in segments already. */
const sealedOf = ({ throughSeq }: AsideFolderState, through: number | null): string[] =>
  through === null ? [] : Object.keys(throughSeq).filter((table) => (throughSeq[table] ?? 0) > through)

function sourceOf({ store, peers, name }: Merging, id: string): AsideSource {
  if (id === name) return ownAside(store)
  const peer = peers.list.find((one) => one.id === id)
  if (peer === undefined) throw refuse('NOT_FOUND', `no leaf is called ${id}`, { hint: 'List them with `muster scuba leaves`.' })
  return asideOf(peers.calls, peer)
}
