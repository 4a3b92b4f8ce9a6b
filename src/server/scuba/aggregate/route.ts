import { statfsSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { MusterError, refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { isOwnTable, LIVE_TABLE } from '../../../core/scuba/names.ts'
import type { Peer, Shard } from '../../../core/scuba/registry.ts'
import { fenceProblem, SHARD_HEAD, shardHead } from '../../../core/scuba/shards/fence.ts'
import { better, mayKnow, ranked, type Load } from '../../../core/scuba/shards/rendezvous.ts'
import type { Receipt } from '../../../core/scuba/wire-types.ts'
import { readBody } from '../leaf/http-body.ts'
import { nameOfSender, senderHead } from '../leaf/sender-name.ts'
import type { Sealer } from '../leaf/sealer.ts'
import type { Store } from '../leaf/store.ts'
import type { Peers } from './peers.ts'

/** What choosing a leaf for a batch needs of the leaf that was asked. */
export interface Routing {
  store: Store
  peers: Peers
  sealer: Pick<Sealer, 'backlogBytes'>
  name: string
}

/** A leaf that can take a batch now. */
export interface Place {
  shard: Shard
  /** null: this leaf */
  peer: Peer | null
  load: Load
}

export function ownLoad({ store, sealer }: Pick<Routing, 'store' | 'sealer'>): Load {
  const { bavail, bsize } = statfsSync(store.dir)
  return { backlogBytes: sealer.backlogBytes, freeBytes: bavail * bsize }
}

/** The live aggregate is this leaf's, and muster's own rows are read where they were written. */
export const staysHere = (table: string): boolean => table === LIVE_TABLE || isOwnTable(table)

/** The shards whose leaf is known here, but of lost servers, and where rows of each go now; nowhere while its leaf is away. `all`: those of lost servers, too. */
export function placesOf(routing: Routing): { all: Shard[]; shards: Shard[]; placeAt: (shard: Shard) => Place | undefined } {
  const { store, peers, name } = routing
  const all = store.registry.current.shards.filter(({ primary }) => primary === name || peers.list.some(({ id }) => id === primary))
  const placeAt = (shard: Shard): Place | undefined => {
    if (shard.primary === name) return { shard, peer: null, load: ownLoad(routing) }
    const peer = peers.list.find(({ id }) => id === shard.primary)
    const load = peer && peers.loadOf(peer.id)
    return peer && load ? { shard, peer, load } : undefined
  }
  // One that answers is back, though the map does not say so yet.
  return { all, shards: all.filter((shard) => !shard.isLost || placeAt(shard) !== undefined), placeAt }
}

/** @throws SCUBA_FENCED when this leaf must not take rows: none of that shard, or of a table whose rows, and keys, it is taking over at this moment */
export function refuseFenced({ store, name }: Pick<Routing, 'store' | 'name'>, table: string, head?: string): void {
  const isPending = store.pendingRows(table) > 0
  const problem = isPending ? 'this leaf is taking over another one' : fenceProblem(store.registry.current.shards, name, head)
  if (problem !== null) throw refuse('SCUBA_FENCED', problem, { details: { retryAfterMs: 1000 } })
}

/**
 * Which other leaf a batch goes to; null: it stays here. With a key it is the leaf of the key's shard, or the one that had the key before there was
 * that shard; without, the better of two at random.
 * @param mayGoElsewhere when the leaf of its key is away: to another one, where it may be added a second time
 * @throws SCUBA_DOWN when the leaf it belongs to is away; SCUBA_FENCED
 */
export async function placeOf(
  routing: Routing,
  table: string,
  key: string | null,
  { isRouted, mayGoElsewhere }: { isRouted: string | undefined; mayGoElsewhere: boolean },
): Promise<{ shard: Shard; peer: Peer; isSecondBest: boolean } | null> {
  const { peers } = routing
  refuseFenced(routing, table, isRouted)
  if (isRouted !== undefined || peers.isAlone || staysHere(table)) return null
  await peers.learn()
  const { all, shards, placeAt } = placesOf(routing)
  const places = shards.flatMap((shard) => placeAt(shard) ?? [])
  const chosen = (place: Place, isSecondBest = false) => place.peer && { shard: place.shard, peer: place.peer, isSecondBest }
  if (key === null) {
    // What is there already is enough to be moved.
    const staying = places.filter((place) => place.shard.leaving === null)
    const [one, two] = [staying[Math.floor(Math.random() * staying.length)], staying[Math.floor(Math.random() * staying.length)]]
    return one && two ? chosen(better(one, two)) : null
  }
  const order = ranked(key, shards)
  const candidates = mayKnow(order, Date.now(), LIMITS.dedupeMs)
  const [first] = candidates
  if (first === undefined) return null
  // What a lost server had of this key just before, nobody can say.
  const isUnsure = ranked(key, all)[0] !== order[0]
  try {
    for (const shard of candidates) {
      const place = placeAt(shard)
      if (place === undefined) throw away(shard)
      if (candidates.length > 1 && (await known(routing, place, table, [key])).length > 0) return chosen(place)
    }
    const place = placeAt(first)
    return place === undefined ? null : chosen(place, isUnsure)
  } catch (error) {
    if (!mayGoElsewhere) throw error
    const place = order.map(placeAt).find((one) => one !== undefined)
    return place ? chosen(place, true) : null
  }
}

export const away = ({ primary }: Shard): MusterError =>
  refuse('SCUBA_DOWN', `leaf ${primary}, to which rows of this key belong, does not answer`, {
    hint: 'Keep the rows and send them again; `--on-shard-away any` sends them elsewhere, where they may be added twice.',
    details: { retryAfterMs: 1000 },
  })

/** Those of some keys that a leaf remembers. @throws SCUBA_DOWN when it does not answer */
export async function known({ store, peers }: Routing, { peer, shard }: Place, table: string, keys: readonly string[]): Promise<string[]> {
  if (peer === null) return keys.filter((key) => store.keys.get(table, key) !== undefined)
  try {
    const asked = keys.map((key) => `key=${encodeURIComponent(key)}`).join('&')
    const path = `/v1/scuba/tables/${encodeURIComponent(table)}/key?${asked}`
    const { body } = await peers.calls.call(peer, 'GET', path, { signal: AbortSignal.timeout(5000) })
    return (JSON.parse(body.toString('utf8')) as { known: string[] }).known
  } catch {
    throw away(shard)
  }
}

const FENCED_ATTEMPTS = 10
const FENCED_PAUSE_MS = 200

/** Sends a batch on as it came, to the leaf that was chosen for it. */
export async function sendOn(
  routing: Pick<Routing, 'peers'>,
  request: IncomingMessage,
  path: string,
  place: NonNullable<Awaited<ReturnType<typeof placeOf>>>,
  onRead: (bytes: number) => void,
): Promise<Receipt> {
  const body = await readBody(request, LIMITS.requestBytesMax)
  onRead(body.length)
  const headers: Record<string, string> = senderHead(nameOfSender(request.headers))
  for (const name of ['content-type', 'content-encoding', 'idempotency-key']) {
    const value = request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  const receipt = await sendRows(routing, place, path, body, headers)
  return { ...receipt, ...(place.isSecondBest ? { delivery: 'at-least-once' as const } : {}) }
}

/** Sends rows to the leaf of a shard. @throws whatever it refuses with; SCUBA_DOWN when it does not answer, and may have them or not */
export async function sendRows(
  { peers }: Pick<Routing, 'peers'>,
  { shard, peer }: { shard: Shard; peer: Peer },
  path: string,
  body: Buffer,
  heads: Readonly<Record<string, string>>,
): Promise<Receipt> {
  const headers = { ...heads, [SHARD_HEAD]: shardHead(shard) }
  const reply = await untilKnown(() => peers.calls.call(peer, 'POST', path, { body, headers, signal: AbortSignal.timeout(60_000) }))
  const receipt = JSON.parse(reply.body.toString('utf8')) as Receipt
  peers.passedOn(receipt.table)
  return { ...receipt, leaf: peer.id }
}

/** A leaf that refuses a shard has added nothing. The map goes to each leaf on its own: after a change, one learns of it a moment before another. */
async function untilKnown<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'SCUBA_FENCED' || attempt > FENCED_ATTEMPTS) throw error
    }
    await sleep(FENCED_PAUSE_MS)
  }
}
