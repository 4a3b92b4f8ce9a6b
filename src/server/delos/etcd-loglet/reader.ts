import type { StoreClient } from '../../../client/connect.ts'
import type { BatchListener } from '../../../core/contracts/stretch.ts'
import { rangeRequest } from '../../../core/delos/recipes/etcd/request.ts'
import { EVENT_TYPE, SORT_ORDER } from '../../../core/delos/wire/messages.ts'
import type { Logger } from '../../../platform/logger.ts'
import { decodeEntry, type LogletKeys } from './keys.ts'
import { readAnswer, readRequest } from './requests.ts'

export interface ReaderOptions {
  client: StoreClient
  keys: LogletKeys
  from: number
  log: Logger
  /** in order, each position once */
  listener: BatchListener
  /** A batch of a version that this program does not know stands there: nothing behind it is given. */
  onUnknown: (position: number) => void
  /** The loglet is sealed, and everything in it was seen. */
  onSealed: (tail: number) => void
  /** Something about who leads was changed. */
  onLeaderKey: () => void
}

const READ_MAX = 64
const RETRY_MS = 200

/** Reads a loglet in etcd from a position on: what is there in ranges, then what comes by a watch. */
export class Reader {
  readonly #options: ReaderOptions
  readonly #stop = new AbortController()
  /** what came before its turn */
  readonly #early = new Map<number, Uint8Array>()
  readonly #whenRead: { tail: number; resolve: () => void }[] = []
  #next: number

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#next = options.from
    void this.#run()
  }

  get next(): number {
    return this.#next
  }

  /** Also what this server appended, sooner than the watch tells of it. */
  take(position: number, batch: Uint8Array): void {
    if (position < this.#next || this.#stop.signal.aborted) return
    this.#early.set(position, batch)
    for (let ready = this.#early.get(this.#next); ready !== undefined; ready = this.#early.get(this.#next)) {
      const at = this.#next
      this.#early.delete(at)
      this.#next += 1
      this.#options.listener(at, ready)
    }
    while (this.#whenRead[0] !== undefined && this.#whenRead[0].tail <= this.#next) this.#whenRead.shift()?.resolve()
  }

  /** Resolves once everything below `tail` was given. */
  readTo(tail: number): Promise<void> {
    if (this.#next >= tail) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenRead.push({ tail, resolve })
      this.#whenRead.sort((a, b) => a.tail - b.tail)
    })
  }

  stop(): void {
    this.#stop.abort()
  }

  async #run(): Promise<void> {
    const { log } = this.#options
    while (!this.#stop.signal.aborted) {
      try {
        await this.#watch(await this.#readAll())
      } catch (error) {
        if (this.#stop.signal.aborted) return
        log.warn("the log's etcd cannot be read", { reason: error instanceof Error ? error.message : String(error) })
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** @returns the revision that this was read at */
  async #readAll(): Promise<number> {
    const { client, keys, onSealed } = this.#options
    for (;;) {
      const from = this.#next
      const { kvs, more, isSealed, revision } = readAnswer(await client.txn(readRequest(keys, from, READ_MAX)))
      for (const { key, value } of kvs) await this.#entry(keys.positionOf(key) ?? 0, value)
      if (more) continue
      if (isSealed) onSealed(Math.max(from, (keys.positionOf(kvs.at(-1)?.key ?? '') ?? 0) + 1))
      return revision
    }
  }

  async #watch(revision: number): Promise<void> {
    const { client, keys, onSealed, onLeaderKey } = this.#options
    let last = this.#next - 1
    for await (const { events } of client.watch(keys.all, { from: revision + 1 }, this.#stop.signal)) {
      for (const { type, kv } of events) {
        const position = keys.positionOf(kv.key)
        if (kv.key === keys.leader) onLeaderKey()
        else if (kv.key === keys.sealed) onSealed(Math.max(last, this.#next - 1) + 1)
        else if (position !== null && type === EVENT_TYPE.put) {
          last = position
          await this.#entry(position, kv.value)
        }
      }
    }
  }

  async #entry(position: number, value: Uint8Array): Promise<void> {
    if (position < this.#next || this.#early.has(position)) return
    const entry = decodeEntry(value)
    if (entry === null) {
      this.stop()
      return this.#options.onUnknown(position)
    }
    if (entry.parts === 0) return this.take(position, entry.payload)
    const { client, keys } = this.#options
    const parts = await client.range(rangeRequest(keys.chunksOf(position, entry.proposer), { sort_order: SORT_ORDER.ascend }))
    const bytes = Buffer.concat(parts.kvs.slice(0, entry.parts).map((kv) => kv.value))
    this.take(position, bytes)
  }
}
