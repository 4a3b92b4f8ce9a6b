import { isRefusal } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { Shard } from '../../../core/scuba/registry.ts'
import { divide, divisionsOf, seriesMap, type Division } from '../../../core/scuba/shards/series.ts'
import type { Receipt } from '../../../core/scuba/wire-types.ts'
import { senderHead } from '../leaf/sender-name.ts'
import { away, known, placeOf, placesOf, refuseFenced, sendRows, staysHere, type Routing } from './route.ts'

/** Rows that were made of what another program sent. */
export interface MadeRows {
  table: string
  /** NDJSON */
  body: Buffer
  /** of each line, of which slot its series is; without: they stay together */
  slots?: Uint16Array | undefined
  /** the way in, and from where */
  sender: string
}

/** @returns null: they were added before */
type Add = (body: Buffer, key: string | null) => Promise<Receipt | null>

/**
 * Rows on their way to the leaf, or leaves, that they belong to: samples to those of their series, so that equal ones meet; everything else as one
 * batch, to the leaf of its key, or without one to the better of two.
 * @param add puts rows into this leaf's own store
 * @returns null: there were none, or all had been added before
 * @throws SCUBA_DOWN when a leaf they belong to is away. What the others took they know by the key: the whole is to be sent again
 */
export async function passRows(routing: Routing, rows: MadeRows, key: string | null, add: Add): Promise<Receipt | null> {
  const { table, body, slots, sender } = rows
  if (slots !== undefined && !routing.peers.isAlone && !staysHere(table)) return passSamples(routing, { ...rows, slots }, key, add)
  const place = await placeOf(routing, table, key, { isRouted: undefined, mayGoElsewhere: false })
  return place === null ? add(body, key) : sendOnce(routing, place, { table, body, sender }, key)
}

async function passSamples(
  routing: Routing,
  { table, body, slots, sender }: MadeRows & { slots: Uint16Array },
  key: string | null,
  add: Add,
): Promise<Receipt | null> {
  const { peers } = routing
  refuseFenced(routing, table)
  await peers.learn()
  const { shards, placeAt } = placesOf(routing)
  if (shards.length === 0) return add(body, key)
  const division = key === null ? { shards, key } : await divisionOf(routing, table, key, shards)
  const byId = new Map(division.shards.map((shard) => [shard.id, shard]))
  const sent = [...divide(body, slots, mapOf(division.shards))].map(([id, pieces]) => {
    const shard = byId.get(id)
    const place = shard && placeAt(shard)
    const part = Buffer.concat(pieces)
    if (place?.peer) return sendOnce(routing, { shard: place.shard, peer: place.peer }, { table, body: part, sender }, division.key)
    // Without a key nobody sends them again: better here than nowhere.
    if (place !== undefined || key === null) return add(part, division.key)
    return Promise.reject(away(shard as Shard))
  })
  const failed = (await Promise.allSettled(sent)).find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return addReceipts((await Promise.all(sent)).filter((receipt) => receipt !== null))
}

/** How a body is to be divided: as the first try was, if a part of that was taken. */
async function divisionOf(routing: Routing, table: string, digest: string, shards: readonly Shard[]): Promise<Division<Shard>> {
  const divisions = divisionsOf(digest, shards, Date.now(), LIMITS.dedupeMs)
  const [newest, ...older] = divisions
  if (newest === undefined) throw new Error('a body is divided among no shards')
  if (older.length === 0) return newest
  const { placeAt } = placesOf(routing)
  const answers = await Promise.all(
    (older[0]?.shards ?? []).map((shard) => {
      const keys = older.filter((division) => division.shards.includes(shard)).map((division) => division.key)
      const place = placeAt(shard)
      if (place === undefined) throw away(shard)
      return known(routing, place, table, keys)
    }),
  )
  const tried = new Set(answers.flat())
  return older.findLast((division) => tried.has(division.key)) ?? newest
}

let lastMap: { of: string; map: (string | undefined)[] } | null = null

/** Slot → shard, which is the same until a shard comes or goes. */
function mapOf(shards: readonly Shard[]): (string | undefined)[] {
  const of = shards.map(({ id }) => id).join()
  if (lastMap?.of !== of) lastMap = { of, map: seriesMap(shards).map((shard) => shard?.id) }
  return lastMap.map
}

async function sendOnce(
  routing: Routing,
  place: Parameters<typeof sendRows>[1],
  { table, body, sender }: MadeRows,
  key: string | null,
): Promise<Receipt | null> {
  const headers = { ...senderHead(sender), 'content-type': 'application/x-ndjson', ...(key === null ? {} : { 'idempotency-key': key }) }
  try {
    const receipt = await sendRows(routing, place, `/v1/scuba/tables/${encodeURIComponent(table)}/rows`, body, headers)
    return receipt.duplicate ? null : receipt
  } catch (error) {
    if (isAdded(error)) return null
    throw error
  }
}

/** The key is the digest of what was sent. Other rows of the same bytes are those of an earlier version of the decoder. */
export const isAdded = (error: unknown): boolean => isRefusal(error) && error.code === 'SCUBA_KEY_REUSED'

function addReceipts(receipts: readonly Receipt[]): Receipt | null {
  const [first, ...others] = receipts
  if (first === undefined) return null
  return others.reduce(
    (sum, receipt) => ({
      ...sum,
      accepted: sum.accepted + receipt.accepted,
      quarantined: sum.quarantined + receipt.quarantined,
      firstErrors: [...sum.firstErrors, ...receipt.firstErrors].slice(0, 10),
    }),
    first,
  )
}
