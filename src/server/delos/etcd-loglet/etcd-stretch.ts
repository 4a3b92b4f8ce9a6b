import type { StoreClient } from '../../../client/connect.ts'
import type { LogBase, LogRole } from '../../../core/contracts/ordered-log.ts'
import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import type { BatchListener, Stretch, StretchEnd } from '../../../core/contracts/stretch.ts'
import { bytesOf, put, textOf, txn } from '../../../core/delos/recipes/etcd/request.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { Appender } from './appender.ts'
import { etcdClient, etcdConfigSchema } from './client.ts'
import { leadEtcdLoglet, type Leadership } from './leadership.ts'
import { logletKeys, type LogletKeys } from './keys.ts'
import { Reader } from './reader.ts'
import { plainBaseAt } from '../virtual-log/plain-base.ts'
import { compactTo, sealAnswer, sealRequest, tailAnswer, tailRequest, trimRequest } from './requests.ts'

export interface EtcdOpenOptions {
  first: number
  /** the last round of the loglets before */
  lastRound: number
  self: number
  /** the server that made this loglet: it leads at once */
  isOpener: boolean
  /** ids of all servers, by number */
  servers: () => ReadonlyMap<number, bigint>
  log: Logger
  onFatal: (error: MusterError) => void
}

/** A loglet in an etcd that answers, before it is known where it begins. */
export interface EtcdReady {
  /** Proves that it takes what is put. Rejects with what is in the way. */
  probe(): Promise<void>
  open(options: EtcdOpenOptions): Stretch
  close(): void
}

/** @param config what `etcdConfigSchema` says. Throws what is wrong with it */
export function readyEtcd(config: unknown, loglet: number): EtcdReady {
  const parsed = etcdConfigSchema.safeParse(config)
  if (!parsed.success)
    throw new MusterError('USAGE', `a loglet in etcd needs endpoints and a prefix: ${parsed.error.issues[0]?.message ?? ''}`)
  const client = etcdClient(parsed.data)
  const keys = logletKeys(parsed.data.prefix, loglet)
  return {
    probe: async () => {
      await client.txn(txn([], [put(keys.probe, bytesOf('1'), 0n)]), { isRepeatable: true })
    },
    open: (options) => new EtcdStretch(client, keys, loglet, { ...options, compacts: parsed.data.compacts === true }),
    close: () => client.close(),
  }
}

/** A sealed loglet that somebody has to lead no longer: looked at this often until all of it was read. */
const SEAL_PATIENCE_MS = 10_000
const RETRY_MS = 50
/** Batches that were given and are kept for who asks again. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024

class EtcdStretch implements Stretch {
  readonly loglet: number
  readonly first: number
  readonly #client: StoreClient
  readonly #keys: LogletKeys
  readonly #options: EtcdOpenOptions & { compacts: boolean }
  readonly #appender: Appender
  readonly #leadership: Leadership
  readonly #roleListeners = new Set<(role: LogRole) => void>()
  readonly #endListeners: ((end: StretchEnd) => void)[] = []
  readonly #kept = new Map<number, Uint8Array>()
  #keptBytes = 0
  #reader: Reader | null = null
  /** revision of the last trim of this process */
  #trimmedAt: number | null = null
  #role: LogRole
  #end: StretchEnd | null = null
  #isEnding = false
  #isClosed = false
  #barrier: Promise<void> | null = null
  #nextBarrier: Promise<void> | null = null

  constructor(client: StoreClient, keys: LogletKeys, loglet: number, options: EtcdOpenOptions & { compacts: boolean }) {
    this.#client = client
    this.#keys = keys
    this.loglet = loglet
    this.first = options.first
    this.#options = options
    this.#role = { isLeader: false, leader: null, term: options.lastRound }
    this.#appender = new Appender({
      client,
      keys,
      first: options.first,
      onAppended: (position, batch) => this.#reader?.take(position, batch),
      onSealed: () => void this.#learnEnd(),
      isClosed: () => this.#isClosed,
    })
    const { self, lastRound, isOpener } = options
    this.#leadership = leadEtcdLoglet({
      client,
      keys,
      self,
      lastRound,
      isOpener,
      onLeader: (leader, term) => this.#noticeLeader(leader, term),
    })
    this.#leadership.look()
  }

  append(batch: Uint8Array): Promise<number> {
    if (this.#end !== null) return Promise.reject(this.#sealed())
    return this.#appender.append(batch)
  }

  follow(from: number, listener: BatchListener): () => void {
    this.#reader?.stop()
    this.#appender.noteTail(from)
    const reader = new Reader({
      client: this.#client,
      keys: this.#keys,
      from,
      log: this.#options.log,
      listener: (position, batch) => {
        this.#appender.noteTail(position + 1)
        this.#keep(position, batch)
        listener(position, batch)
      },
      onUnknown: (position) =>
        this.#options.onFatal(
          new MusterError('STATE_NEWER', `position ${position} of the log in etcd is of a version that this program does not know`),
        ),
      onSealed: () => void this.#learnEnd(),
      onLeaderKey: () => this.#leadership.look(),
    })
    this.#reader = reader
    return () => reader.stop()
  }

  /** What a server is told once is in its store soon; only for those who come a little later. */
  #keep(position: number, batch: Uint8Array): void {
    this.#kept.set(position, batch)
    this.#keptBytes += batch.length
    for (const [oldest, bytes] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES_MAX) break
      this.#kept.delete(oldest)
      this.#keptBytes -= bytes.length
    }
  }

  read(from: number, max: number): LogletEntry[] {
    const entries: LogletEntry[] = []
    for (let position = from; entries.length < max; position += 1) {
      const payload = this.#kept.get(position)
      if (payload === undefined) break
      entries.push({ position, payload })
    }
    return entries
  }

  /** One look at the end serves all who began to wait before it was sent. */
  readBarrier(): Promise<void> {
    if (this.#barrier === null) {
      this.#barrier = this.#lookAtTail().finally(() => {
        this.#barrier = null
      })
      return this.#barrier
    }
    this.#nextBarrier ??= this.#barrier
      .catch(() => undefined)
      .then(() => {
        this.#nextBarrier = null
        return this.readBarrier()
      })
    return this.#nextBarrier
  }

  async #lookAtTail(): Promise<void> {
    if (this.#end !== null) throw this.#sealed()
    const { tail, isSealed } = tailAnswer(this.#keys, this.first, await this.#client.txn(tailRequest(this.#keys)))
    if (isSealed) {
      void this.#learnEnd()
      throw this.#sealed()
    }
    await this.#reader?.readTo(tail)
  }

  /** Others append without asking this server: each read asks etcd. */
  holdsReadLease(): boolean {
    return false
  }

  role(): LogRole {
    return this.#role
  }

  onRole(listener: (role: LogRole) => void): () => void {
    this.#roleListeners.add(listener)
    return () => this.#roleListeners.delete(listener)
  }

  #noticeLeader(server: number | null, term: number): void {
    const leader = server === null ? null : (this.#options.servers().get(server) ?? null)
    const role = { isLeader: server === this.#options.self, leader, term: Math.max(term, this.#role.term) }
    if (role.isLeader === this.#role.isLeader && role.leader === this.#role.leader && role.term === this.#role.term) return
    this.#role = role
    for (const listener of this.#roleListeners) listener(role)
  }

  tail(): number {
    return this.#end?.position ?? this.#reader?.next ?? this.first
  }

  head(): number {
    return this.first
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  syncStats(): { p50Ms: number; p99Ms: number } {
    return this.#appender.stats()
  }

  async trim(position: number): Promise<void> {
    // The next append looks at the last batch.
    const { tail } = tailAnswer(this.#keys, this.first, await this.#client.txn(tailRequest(this.#keys)))
    const below = Math.min(position, tail - 1)
    if (below <= this.first) return
    const { header } = await this.#client.txn(trimRequest(this.#keys, below), { isRepeatable: true })
    if (this.#options.compacts) await this.#compact(header.revision)
  }

  /**
   * Lets the etcd forget what was below the trim before this one, so that a watch which is behind by less than that goes on. One that is
   * further behind begins anew, as {@link Reader} does.
   */
  async #compact(revision: number): Promise<void> {
    const upTo = this.#trimmedAt
    this.#trimmedAt = revision
    if (upTo === null || upTo === revision) return
    try {
      await this.#client.ask(compactTo(upTo))
    } catch (error) {
      // Somebody else may have it compacted further; and a log whose etcd grows is better than none.
      this.#options.log.warn('the etcd of the log was not compacted', { revision: upTo, reason: (error as Error).message })
    }
  }

  baseAt(position: number): LogBase | null {
    return plainBaseAt({ loglet: this.loglet, head: () => this.head(), tail: () => this.tail() }, position)
  }

  /** What it holds is in etcd, as far as it was not trimmed there. */
  async install(): Promise<void> {}

  onBehind(): () => void {
    return () => {}
  }

  end(): StretchEnd | null {
    return this.#end
  }

  onEnd(listener: (end: StretchEnd) => void): void {
    if (this.#end === null) this.#endListeners.push(listener)
    else listener(this.#end)
  }

  /** It was found sealed: its end, and the last term, are what the sealing transaction gives to everybody. */
  async #learnEnd(): Promise<void> {
    if (this.#isEnding || this.#end !== null || this.#isClosed) return
    this.#isEnding = true
    await this.seal().catch(() => undefined)
    this.#isEnding = false
  }

  async seal(): Promise<StretchEnd> {
    const untilMs = performance.now() + SEAL_PATIENCE_MS
    for (;;) {
      if (this.#end !== null) return this.#end
      if (this.#isClosed) throw new MusterError('UNAVAILABLE', 'The log is closed.')
      try {
        const who = bytesOf(JSON.stringify({ server: this.#options.self }))
        const { position, term } = sealAnswer(
          this.#keys,
          this.first,
          await this.#client.txn(sealRequest(this.#keys, who), { isRepeatable: true }),
        )
        return this.#endAt({ position, round: Math.max(this.#options.lastRound, term === null ? 0 : Number(textOf(term))) })
      } catch (error) {
        if (performance.now() > untilMs) throw new MusterError('DELOS_NO_QUORUM', "the log's etcd does not answer", { cause: error })
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  #endAt(end: StretchEnd): StretchEnd {
    if (this.#end !== null) return this.#end
    this.#end = end
    this.#appender.refuseAll(this.#sealed())
    for (const listener of this.#endListeners.splice(0)) listener(end)
    void this.#leadership.stop()
    this.#noticeLeader(null, end.round)
    return end
  }

  #sealed(): MusterError {
    return new MusterError('DELOS_SEALED', "the log's loglet in etcd is sealed")
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#reader?.stop()
    this.#appender.refuseAll(new MusterError('UNAVAILABLE', 'The log is closed.'))
    await this.#leadership.stop()
    this.#client.close()
  }
}
