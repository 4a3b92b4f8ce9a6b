import { randomInt } from 'node:crypto'
import type { StoreClient } from '../../../client/connect.ts'
import { put } from '../../../core/delos/recipes/etcd/request.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import { decodeEntry, encodeEntry, partsOf, type LogletKeys } from './keys.ts'
import { appendOutcome, appendRequest, type TailSeen } from './requests.ts'

export interface AppenderOptions {
  client: StoreClient
  keys: LogletKeys
  first: number
  /** Batches stand at these positions now, each as its key has it, though not all before them may have been read here. */
  onAppended: (position: number, batch: Uint8Array) => void
  /** The loglet is sealed, and ends there. */
  onSealed: (tail: number) => void
  isClosed: () => boolean
}

interface Waiting {
  batch: Uint8Array
  seq: number
  untilMs: number
  resolve: (position: number) => void
  reject: (error: MusterError) => void
}

/** Bytes of one transaction: etcd takes 1.5 MiB of a request. */
const TXN_BYTES_MAX = 1024 * 1024
/** Operations of one: etcd takes 128. */
const TXN_PUTS_MAX = 64
/** What waits is refused after so long; what was tried has an unknown outcome then. */
const PATIENCE_MS = 5000
/** Batches that wait, after which more are refused. */
const WAITING_MAX = 4096
const RETRY_MS = 100
const SAMPLES = 256

/**
 * Puts batches at the end of the loglet: one transaction under way, which takes as many as wait. Its outcome is known before the next
 * one begins: an answer that was lost is made up for by asking again, as nobody else's batch has our proposer and number.
 */
export class Appender {
  readonly #options: AppenderOptions
  readonly #proposer = randomInt(1, 2 ** 47)
  readonly #waiting: Waiting[] = []
  readonly #samples: number[] = []
  #txns = 0
  #seq = 0
  #isRunning = false
  /** where the next one is put, as far as is known */
  #tail: number

  constructor(options: AppenderOptions) {
    this.#options = options
    this.#tail = options.first
  }

  /** Others appended, too. */
  noteTail(tail: number): void {
    this.#tail = Math.max(this.#tail, tail)
  }

  append(batch: Uint8Array): Promise<number> {
    if (this.#options.isClosed()) return Promise.reject(closed())
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.reject(new MusterError('UNAVAILABLE', `${this.#waiting.length} batches already wait for etcd.`))
    this.#seq += 1
    const seq = this.#seq
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, seq, untilMs: performance.now() + PATIENCE_MS, resolve, reject })
      void this.#run()
    })
  }

  /** How long the last transactions took. */
  stats(): { p50Ms: number; p99Ms: number } {
    const sorted = this.#samples.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return { p50Ms: at(0.5), p99Ms: at(0.99) }
  }

  /** Nothing more comes into the loglet by this server. */
  refuseAll(error: MusterError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    // All that is asked in this turn shares a transaction.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0 && !this.#options.isClosed()) {
      const group = this.#takeGroup()
      if (group.length > 0) await this.#put(group)
    }
    this.#isRunning = false
  }

  #takeGroup(): Waiting[] {
    const now = performance.now()
    const group: Waiting[] = []
    let bytes = 0
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const size = Math.min(next.batch.length, TXN_BYTES_MAX)
      if (group.length > 0 && (bytes + size > TXN_BYTES_MAX || group.length === TXN_PUTS_MAX)) break
      this.#waiting.shift()
      if (now > next.untilMs) {
        next.reject(new MusterError('DELOS_NO_QUORUM', "the log's etcd takes nothing at the moment"))
        continue
      }
      bytes += size
      group.push(next)
      // In parts, it goes alone: its parts stand under its position.
      if (next.batch.length > TXN_BYTES_MAX) break
    }
    return group
  }

  /** Returns once it is known where these are, or that they never will be here. */
  async #put(group: readonly Waiting[]): Promise<void> {
    const { onAppended, onSealed, isClosed } = this.#options
    let isTold = false
    for (;;) {
      const position = this.#tail
      try {
        const startedAt = performance.now()
        const seen = await this.#attempt(group, position)
        this.#samples[this.#txns % SAMPLES] = performance.now() - startedAt
        this.#txns += 1
        if (seen === null) {
          this.#tail = position + group.length
          // First what stands there is told, then who asked.
          for (const [i, { batch }] of group.entries()) onAppended(position + i, batch)
          for (const [i, { resolve }] of group.entries()) resolve(position + i)
          return
        }
        this.noteTail(seen.tail)
        if (seen.isSealed) {
          onSealed(seen.tail)
          for (const { reject } of group) reject(new MusterError('DELOS_SEALED', "the log's loglet in etcd is sealed"))
          return
        }
      } catch (error) {
        if (isClosed()) {
          for (const { reject } of group) reject(closed())
          return
        }
        // Its outcome has to be known before anything else goes in; who asked is not kept waiting for that.
        if (!isTold && performance.now() > (group[0]?.untilMs ?? 0)) {
          isTold = true
          for (const { reject } of group) reject(outcomeOf(error))
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** Null: they stand at `position` and behind it. */
  async #attempt(group: readonly Waiting[], position: number): Promise<TailSeen | null> {
    const { client, keys, first } = this.#options
    const [head] = group as [Waiting, ...Waiting[]]
    const values: Uint8Array[] = []
    for (const { batch, seq } of group) values.push(await this.#valueOf(position, batch, seq))
    const answer = await client.txn(appendRequest(keys, position, first, values), { isRepeatable: true })
    const seen = appendOutcome(keys, first, answer)
    if (seen?.found == null) return seen
    // An earlier try that was not answered: it is ours if it is this server's, by its number.
    const entry = decodeEntry(seen.found)
    return entry?.proposer === this.#proposer && entry.seq === head.seq ? null : seen
  }

  async #valueOf(position: number, batch: Uint8Array, seq: number): Promise<Uint8Array> {
    const { client, keys } = this.#options
    const proposer = this.#proposer
    if (batch.length <= TXN_BYTES_MAX) return encodeEntry({ proposer, seq, parts: 0, payload: batch })
    const parts = partsOf(batch, TXN_BYTES_MAX)
    for (const [i, part] of parts.entries()) {
      const request = { compare: [], success: [put(keys.chunk(position, proposer, i), part, 0n)], failure: [] }
      await client.txn(request, { isRepeatable: true })
    }
    return encodeEntry({ proposer, seq, parts: parts.length, payload: new Uint8Array(0) })
  }
}

function closed(): MusterError {
  return new MusterError('UNAVAILABLE', 'The log is closed.')
}

function outcomeOf(error: unknown): MusterError {
  const text = error instanceof Error ? error.message : String(error)
  const isKnown = isRefusal(error) && error.code === 'UNAVAILABLE'
  return new MusterError(isKnown ? 'DELOS_NO_QUORUM' : 'DELOS_OUTCOME_UNKNOWN', `the log's etcd: ${text}`)
}
