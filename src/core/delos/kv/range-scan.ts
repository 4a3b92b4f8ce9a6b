import { SORT_ORDER, type Key, type KeyValue, type RangeRequest, type RangeResponse } from '../wire/messages.ts'
import { pairLength } from '../wire/pair-bytes.ts'
import { spanOf } from './key-ranges.ts'
import { orderOf } from './sorting.ts'
import { header, visibleRevision, type KvState } from './state.ts'
import { NO_BYTES, versionAt } from './version.ts'

/**
 * One walk over a range as it stood at a revision, which may be done in stretches: between them the store may change, as long as no
 * compaction takes what was there then (`pins.ts`). A place in the index is kept as a key, since the index moves.
 */
export class RangeScan {
  /** found since they were last taken, in the order of their keys */
  kvs: KeyValue[] = []
  /** of `kvs`, as a message holds them; 0 of those that are still to be sorted */
  bytes = 0
  /** all keys of the range that were there, whatever the limit; known at the end */
  count = 0
  /** there are more than the limit allows */
  more = false
  readonly sorts: boolean
  readonly #state: KvState
  readonly #request: RangeRequest
  readonly #revision: number
  readonly #now: number
  readonly #isFiltered: boolean
  readonly #limit: number
  /** keys that are walked for `count` alone, since nothing keeps it for a revision of the past */
  readonly #isCounting: boolean
  /** pairs to find, at most; -1: the walk is over */
  #take: number
  readonly #to: Key | null
  #from: Key
  #found = 0

  /** @param request with a range_end, at a revision that can be read */
  constructor(state: KvState, request: RangeRequest) {
    const { limit, revision } = request
    this.#state = state
    this.#request = request
    this.#now = visibleRevision(state)
    this.#revision = revision > 0 ? revision : this.#now
    this.#isFiltered =
      request.min_mod_revision !== 0 ||
      request.max_mod_revision !== 0 ||
      request.min_create_revision !== 0 ||
      request.max_create_revision !== 0
    this.sorts = orderOf(request) !== null
    this.#limit = limit > 0 ? limit : Infinity
    // One more than asked for tells whether there are more. With a target but no order etcd sorts what the limit left, and so do we.
    this.#take = request.count_only ? 0 : this.#isFiltered || request.sort_order !== SORT_ORDER.none ? Infinity : this.#limit + 1
    const { from, to } = spanOf(request.key, request.range_end)
    this.#from = from
    this.#to = to
    this.#isCounting = this.#revision !== this.#now
    if (!this.#isCounting) this.count = state.index.countLive(from, to)
    if (!this.#isCounting && (this.count === 0 || this.#take === 0)) this.#take = -1
  }

  /**
   * Walks on.
   * @param keysMax keys to look at, at most
   * @param bytesMax and not on once so much was found
   * @returns whether the range is at its end
   */
  advance(keysMax: number, bytesMax: number): boolean {
    if (this.#take < 0) return true
    let left = keysMax
    let isOver = true
    this.#state.index.visit(this.#from, this.#to, (history) => {
      if (left === 0 || this.bytes >= bytesMax) {
        this.#from = history.key
        isOver = false
        return false
      }
      left -= 1
      const version = versionAt(history, this.#revision)
      if (version === null || version.isDeleted) return true
      if (this.#isCounting) this.count += 1
      if (this.#found < this.#take && (!this.#isFiltered || isWanted(this.#request, version))) this.#add(version)
      return this.#isCounting || this.#found < this.#take
    })
    if (isOver) this.#take = -1
    return isOver
  }

  /** The pairs that were found since the last time. */
  take(): KeyValue[] {
    const { kvs } = this
    this.kvs = []
    this.bytes = 0
    return kvs
  }

  /** What is over the limit after sorting goes. */
  cut(): void {
    if (this.kvs.length <= this.#limit) return
    this.kvs.length = this.#limit
    this.more = true
  }

  response(): RangeResponse {
    return { header: header(this.#now), kvs: this.kvs, more: this.more, count: this.count }
  }

  #add(version: KeyValue): void {
    this.#found += 1
    if (this.sorts) return void this.kvs.push(version)
    if (this.#found > this.#limit) {
      this.more = true
      return
    }
    const pair = this.#request.keys_only ? withoutValue(version) : version
    this.kvs.push(pair)
    this.bytes += pairLength(pair)
  }
}

/** A limit of 0 is none, as of all of them in etcd. */
export function isWanted(request: RangeRequest, kv: KeyValue): boolean {
  const { max_mod_revision: maxMod, max_create_revision: maxCreate } = request
  if (maxMod !== 0 && kv.mod_revision > maxMod) return false
  if (kv.mod_revision < request.min_mod_revision) return false
  if (maxCreate !== 0 && kv.create_revision > maxCreate) return false
  return kv.create_revision >= request.min_create_revision
}

export const withoutValue = (kv: KeyValue): KeyValue => ({
  key: kv.key,
  create_revision: kv.create_revision,
  mod_revision: kv.mod_revision,
  version: kv.version,
  value: NO_BYTES,
  lease: kv.lease,
})
