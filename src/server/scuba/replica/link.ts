import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { CopyState } from '../../../core/scuba/observed.ts'
import { isReplicated, type Peer } from '../../../core/scuba/registry.ts'
import type { FollowingCopy } from '../../../core/scuba/shards/stand-in.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import { encodeRecord, type JournalHeader } from '../../../core/scuba/wal/record.ts'
import type { PeerCalls } from '../aggregate/call.ts'
import type { Stored } from '../leaf/raw-batch.ts'
import type { Sealer } from '../leaf/sealer.ts'
import type { Store } from '../leaf/store.ts'
import { COPY_HEAD, replicaPath, type Copy, type CopyAnswer } from './wire.ts'

/** A batch of a replicated table that is in: its body as it came. */
export interface CopiedBatch {
  table: string
  seq: number
  rows: number
  atMs: number
  key: JournalHeader['key']
  stored: Stored
}

const AGAIN_MS = 500
/** Without batches it is seen by then that the other leaf is away, or that there are other segments. */
const LOOK_MS = 1000
const ANSWER_MS_MAX = 30_000
const SEND_BYTES = 8 * 1024 * 1024
/** Keys that the copy may not have although it has newer ones: their batches were on their way together. */
const KEYS_MARGIN_MS = 60_000

interface Parts {
  store: Store
  sealer: Sealer
  calls: PeerCalls
  /** this leaf */
  of: string
  epochs: () => Record<string, number>
  what: () => WhatIsCopied
}

/** Replicated tables; or all, because the leaf is leaving. */
export type WhatIsCopied = NonNullable<CopyState['of']>

/**
 * Keeps one copy of this leaf's replicated tables: sends each batch in its order, and segments when there are others. After a break the batches that
 * wait go on where the copy is; if they do not reach back so far, what is unsealed is sealed here, and the segments are copied.
 */
export class Link {
  readonly peer: Peer
  readonly #parts: Parts
  readonly #stopped = new AbortController()
  #state: CopyState['state'] = 'away'
  #session = ''
  #confirmed = 0
  /** newest batch that waited here */
  #offered = 0
  #queue: CopiedBatch[] = []
  #queueBytes = 0
  /** batches are missing between the copy and the queue */
  #hasGap = true
  #segmentsMark = ''
  /** what the copy is of, and the names of those tables that are replicated */
  #what: WhatIsCopied = 'replicated'
  #tables = ''
  #lookedAtMs = 0
  #waiters: { seq: number; done: (isThere: boolean) => void }[] = []
  #wake: () => void = () => undefined

  constructor(peer: Peer, parts: Parts) {
    this.peer = peer
    this.#parts = parts
  }

  get state(): CopyState['state'] {
    return this.#state
  }

  get what(): WhatIsCopied {
    return this.#what
  }

  /** null: the copy does not follow */
  following(): FollowingCopy | null {
    return this.#state !== 'following' || this.#hasGap
      ? null
      : { leaf: this.peer.id, seq: this.#offered, tables: this.#tables.split(',').filter((name) => name !== '') }
  }

  get waitingBytes(): number {
    return this.#queueBytes
  }

  start(): void {
    void this.#run()
  }

  stop(): void {
    this.#stopped.abort()
    this.#setState('away')
    this.#wake()
  }

  offer(batch: CopiedBatch): void {
    this.#offered = batch.seq
    this.#queue.push(batch)
    this.#queueBytes += batch.stored.bytes.length
    if (this.#queueBytes > LIMITS.replicaWaitingBytesMax) {
      this.#clear()
      this.#hasGap = true
      this.#setState('away')
    }
    this.#wake()
  }

  /** Whether the copy has the batch, once it has or has gone away. */
  confirmed(seq: number, limit: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter = { seq, done: resolve }
      this.#waiters.push(waiter)
      limit.addEventListener('abort', () => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter)
        resolve(false)
      })
      this.#settleWaiters()
    })
  }

  async fetch({ file, sha256 }: Segment, signal: AbortSignal): Promise<Buffer | null> {
    try {
      const { body } = await this.#call('GET', `/segments/${file}`, { signal })
      return createHash('sha256').update(body).digest('hex') === sha256 ? body : null
    } catch {
      // It is away, or has no such segment.
      return null
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#connect()
        this.#setState('following')
        while (!this.#stopped.signal.aborted) await this.#step()
      } catch (error) {
        if (this.#stopped.signal.aborted) return
        if (this.#state === 'following')
          this.#parts.store.log.warn('a copy of the rows is behind', { leaf: this.peer.id, error: String(error) })
        this.#setState('away')
        await sleep(AGAIN_MS, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
      }
    }
  }

  async #connect(): Promise<void> {
    // Of whom the shards are another's is told so before anything is sealed.
    const { body } = await this.#call('GET', '', { head: { epochs: this.#parts.epochs() } })
    const known = JSON.parse(body.toString('utf8')) as CopyAnswer
    if (!this.#hasGap && known.session === this.#session && known.seq >= this.#confirmed) return this.#confirm(known.seq)
    this.#setState('catching-up')
    await this.#sync(known)
  }

  /** Makes the copy anew from segments; batches that come in meanwhile wait behind it. */
  async #sync(known: CopyAnswer): Promise<void> {
    const { store, sealer } = this.#parts
    // Between two commits: what has a number by then is in its table, so it is sealed; what comes later waits in the queue.
    const begun = await store.between(() => {
      this.#clear()
      this.#offered = store.seq
      this.#hasGap = false
      this.#what = this.#parts.what()
      this.#tables = this.#replicated()
      return store.seq
    })
    for (const tail of store.tails()) if (this.#isCopied(tail.name) && tail.unsealedBytes > 0) await sealer.sealNow(tail)
    this.#session = randomBytes(9).toString('hex')
    await this.#settle(begun, known.files, known.keysMs - KEYS_MARGIN_MS)
    if (this.#hasGap) throw new Error('more came in than can wait')
    this.#confirmed = begun
  }

  /** Sends what waits, or after a while nothing; segments when there are others. */
  async #step(): Promise<void> {
    if (performance.now() - this.#lookedAtMs > LOOK_MS) {
      this.#lookedAtMs = performance.now()
      // Rows that a table has unsealed when it is to be copied from now on were in no batch.
      if (this.#parts.what() !== this.#what || this.#replicated() !== this.#tables) {
        this.#hasGap = true
        await this.#connect()
        return this.#setState('following')
      }
      if (this.#markOf() !== this.#segmentsMark) {
        const { body } = await this.#call('GET')
        await this.#settle(this.#confirmed, (JSON.parse(body.toString('utf8')) as CopyAnswer).files, null)
      }
    }
    if (this.#queue.length === 0) await this.#something()
    if (this.#stopped.signal.aborted) return
    if (this.#hasGap) throw new Error('more came in than can wait')
    const taken: CopiedBatch[] = []
    for (let bytes = 0; bytes < SEND_BYTES && taken.length < this.#queue.length;) {
      const batch = this.#queue[taken.length] as CopiedBatch
      taken.push(batch)
      bytes += batch.stored.bytes.length
    }
    const records = taken.map(({ table, seq, rows, atMs, key, stored }) => {
      const header: JournalHeader = {
        ...{ seq, table, rows, minUs: 0, maxUs: 0, at: atMs, body: stored.encoding },
        ...(key ? { key } : {}),
      }
      return encodeRecord(header, stored.bytes, crc32)
    })
    const head = { session: this.#session, after: this.#confirmed, epochs: this.#parts.epochs() }
    const reply = await this.#call('POST', '/batches', { body: Buffer.concat(records), head })
    const { session, seq } = JSON.parse(reply.body.toString('utf8')) as CopyAnswer
    const wanted = taken.at(-1)?.seq ?? this.#confirmed
    if (session !== this.#session || seq !== wanted) {
      this.#hasGap = true
      throw new Error('the copy is not what it was')
    }
    this.#confirm(seq)
  }

  /** The copy's list of segments is this leaf's. */
  async #settle(seq: number, there: readonly string[], keysSinceMs: number | null): Promise<void> {
    const { store, epochs } = this.#parts
    const mark = this.#markOf()
    const end = store.hold()
    try {
      const known = new Set(there)
      const tables: Copy['tables'] = {}
      for (const [name, { segments, lost, throughSeq, columns, isGone }] of store.manifest.tables) {
        if (!this.#isCopied(name)) continue
        const named: Segment[] = []
        let lostRows = 0
        // As they are at this moment, with the number of this moment: while files are sent others may be sealed.
        for (const segment of isGone ? [] : [...segments.values()]) {
          if (placeOf(segment.file) !== null) {
            if (this.#what === 'replicated') continue
            throw new Error(`rows of table ${name} are in ClickHouse, where another leaf does not look for them`)
          }
          if (!known.has(segment.file)) {
            // What is broken here is not copied, and what the copy has of it stays.
            if (lost.has(segment.file)) {
              lostRows += segment.rows
              continue
            }
            const head = { sha256: segment.sha256 }
            await this.#call('PUT', `/segments/${segment.file}`, { body: await readFile(store.segmentPath(segment.file)), head })
          }
          named.push(segment)
        }
        tables[name] = { throughSeq, columns, segments: named, lostRows }
      }
      const copy: Copy = { session: this.#session, epochs: epochs(), seq, tables }
      const keys = keysSinceMs === null ? [] : store.keys.since(keysSinceMs, (table) => this.#isCopied(table))
      await this.#call('PUT', '', { body: JSON.stringify({ copy, keys }) })
      this.#segmentsMark = mark
    } finally {
      end()
    }
  }

  /** Another one when there are other segments, or other epochs. */
  #markOf(): string {
    const { store, epochs } = this.#parts
    const files = [...store.manifest.tables].map(([name, { segments, throughSeq }]) =>
      this.#isCopied(name) ? `${name} ${throughSeq} ${[...segments.keys()].join()}` : '',
    )
    return createHash('sha1')
      .update(JSON.stringify([files, epochs()]))
      .digest('hex')
  }

  #isCopied(table: string): boolean {
    return this.#what !== 'replicated' || isReplicated(this.#parts.store.registry.current.tables[table])
  }

  #replicated(): string {
    const { tables } = this.#parts.store.registry.current
    return Object.keys(tables)
      .filter((name) => isReplicated(tables[name]))
      .join()
  }

  #confirm(seq: number): void {
    this.#confirmed = seq
    while ((this.#queue[0]?.seq ?? Infinity) <= seq) this.#queueBytes -= this.#queue.shift()?.stored.bytes.length ?? 0
    this.#settleWaiters()
  }

  #settleWaiters(): void {
    const waiting = this.#waiters
    this.#waiters = []
    for (const waiter of waiting) {
      // With nothing on its way everything is there, whatever numbers batches of other tables had since.
      const isThere = waiter.seq <= this.#confirmed || this.#queue.length === 0
      if (this.#state !== 'following') waiter.done(false)
      else if (isThere) waiter.done(true)
      else this.#waiters.push(waiter)
    }
  }

  #setState(state: CopyState['state']): void {
    this.#state = state
    this.#settleWaiters()
  }

  #clear(): void {
    this.#queue = []
    this.#queueBytes = 0
  }

  async #something(): Promise<void> {
    const over = new AbortController()
    const woken = new Promise<void>((resolve) => (this.#wake = resolve))
    await Promise.race([woken, sleep(LOOK_MS, undefined, { signal: over.signal }).catch(() => undefined)])
    over.abort()
    this.#wake = () => undefined
  }

  #call(
    method: string,
    rest = '',
    { body, head, signal }: { body?: string | Uint8Array; head?: object; signal?: AbortSignal } = {},
  ): ReturnType<PeerCalls['call']> {
    const limit = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(ANSWER_MS_MAX), ...(signal ? [signal] : [])])
    return this.#parts.calls.call(this.peer, method, replicaPath(this.#parts.of, rest), {
      ...(body === undefined ? {} : { body }),
      headers: head === undefined ? {} : { [COPY_HEAD]: JSON.stringify(head) },
      signal: limit,
    })
  }
}
