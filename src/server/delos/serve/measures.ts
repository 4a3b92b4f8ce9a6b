import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Histogram } from '../../../core/delos/measure/histogram.ts'
import { TopPrefixes } from '../../../core/delos/measure/top-prefixes.ts'
import type { LeaderChange, PeerLink } from '../../../core/delos/measure/server-page.ts'
import { METHODS } from '../../../core/delos/wire/methods.ts'
import type { EtcdService, Reply, Unary } from '../../../core/delos/wire/service.ts'
import type { Replica } from '../store/replica.ts'
import { LeaderGap } from './leader-gap.ts'

/** Rates and recent quantiles are of the last one to two of these. */
const TURN_MS = 5000
/** Of so many changes the key of one is looked at. */
const SAMPLE_EVERY = 32
/** Of reads that are answered at once, one in so many is timed: to look at the clock costs more than all else that is counted. */
const TIMED_EVERY = 16
const SLOW_READ_MS = 100
/** gRPC's codes, 0 to 16 */
const CODES = 17

const NAMES = Object.keys(METHODS) as (keyof EtcdService)[]

interface Mark {
  atMs: number
  entries: number
  batches: number
  reads: number
}

/** What a server counts of itself as it works. On the hot path that is additions into typed arrays. */
export class Measures {
  readonly startedAt = Date.now()
  /** a write of the log with its fdatasync */
  readonly sync = new Histogram()
  /** from asking for a batch until it was committed and applied here */
  readonly commit = new Histogram()
  readonly roundTrips = new Histogram()
  readonly prefixes = new TopPrefixes()
  readonly links = new Map<bigint, Pick<PeerLink, 'roundTripMs' | 'clockSkewMs'>>()
  readonly loop = monitorEventLoopDelay({ resolution: 20 })
  /** by method and code, one row of {@link CODES} each */
  readonly calls = new Float64Array(NAMES.length * CODES)
  /** committed here, whoever asked */
  batches = 0
  entries = 0
  bytes = 0
  reads = 0
  slowReads = 0
  /** batches that this server asked for and that were not committed */
  failed = 0
  #gap = new LeaderGap(null)

  #marks: Mark[] = [{ atMs: performance.now(), entries: 0, batches: 0, reads: 0 }]
  #untilSample = SAMPLE_EVERY
  readonly #stops: (() => void)[] = []

  constructor() {
    this.loop.enable()
    const timer = setInterval(() => this.#turn(), TURN_MS)
    timer.unref()
    this.#stops.push(
      () => clearInterval(timer),
      () => void this.loop.disable(),
    )
  }

  get leaderChanges(): number {
    return this.#gap.changes
  }

  get lastChange(): LeaderChange | null {
    return this.#gap.last
  }

  readonly synced = (ms: number): void => this.sync.note(ms / 1000)

  readonly appended = (ms: number | null): void => {
    if (ms === null) this.failed += 1
    else this.commit.note(ms / 1000)
  }

  readonly pong = (from: bigint, roundTripMs: number, clockSkewMs: number): void => {
    this.roundTrips.note(roundTripMs / 1000)
    this.links.set(from, { roundTripMs, clockSkewMs })
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  /** Per second, of the last 5 to 10 s. */
  rates(): { entries: number; batches: number; reads: number } {
    const [first] = this.#marks
    const from = first ?? { atMs: 0, entries: 0, batches: 0, reads: 0 }
    const seconds = Math.max(0.001, (performance.now() - from.atMs) / 1000)
    return {
      entries: (this.entries - from.entries) / seconds,
      batches: (this.batches - from.batches) / seconds,
      reads: (this.reads - from.reads) / seconds,
    }
  }

  #turn(): void {
    this.#marks.push({ atMs: performance.now(), entries: this.entries, batches: this.batches, reads: this.reads })
    if (this.#marks.length > 2) this.#marks.shift()
    for (const each of [this.sync, this.commit, this.roundTrips, this.prefixes]) each.turn()
    this.loop.reset()
  }

  /** Counts what the replica commits, which keys change, and how long nobody led. */
  follow(replica: Replica): void {
    const { log } = replica
    log.onCommitted((_position, batch) => {
      this.batches += 1
      // The count of entries in the batch's header, `engines/batch.ts`.
      this.entries += ((batch[2] ?? 0) << 8) | (batch[3] ?? 0)
      this.bytes += batch.length
    })
    const stopApplied = replica.onApplied((_position, changes) => {
      this.#gap.noteEntry()
      if (changes === null) return
      this.#untilSample -= changes.versions.length
      if (this.#untilSample > 0) return
      this.#untilSample = SAMPLE_EVERY
      const last = changes.versions.at(-1)
      if (last !== undefined) this.prefixes.note(last.key)
    })
    this.#gap = new LeaderGap(log.role().leader)
    const stopRole = replica.onRole((role) => this.#gap.noteRole(role))
    this.#stops.push(stopApplied, stopRole)
  }

  /** The same service, with each answer of a unary call counted by its code. */
  counted(service: Partial<EtcdService>): Partial<EtcdService> {
    const counted: Record<string, unknown> = { ...service }
    for (const [row, name] of NAMES.entries()) {
      const handle = service[name]
      if (handle === undefined || METHODS[name].kind !== 'unary') continue
      counted[name] =
        name === 'KV/Range' ? this.#timed(handle as AnyUnary, row * CODES) : this.#tallied(handle as unknown as AnyUnary, row * CODES)
    }
    return counted
  }

  #tallied(handle: AnyUnary, row: number): AnyUnary {
    const { calls } = this
    return (request, raw, call, reply) =>
      handle(request, raw, call, (error, response) => {
        const at = row + (error?.code ?? 0)
        calls[at] = (calls[at] ?? 0) + 1
        reply(error, response)
      })
  }

  #timed(handle: AnyUnary, row: number): AnyUnary {
    const tallied = this.#tallied(handle, row)
    return (request, raw, call, reply) => {
      this.reads += 1
      let startedAt = this.reads % TIMED_EVERY === 0 ? performance.now() : 0
      let isAnswered = false
      const timed: Reply<unknown> = (error, response) => {
        isAnswered = true
        if (startedAt !== 0 && performance.now() - startedAt > SLOW_READ_MS) this.slowReads += 1
        reply(error, response)
      }
      tallied(request, raw, call, timed)
      // What waits for the other servers is where reads become slow.
      if (!isAnswered && startedAt === 0) startedAt = performance.now()
    }
  }

  /** Calls answered so far: by method of etcd's packages and gRPC code. */
  *handled(): Generator<{ service: string; method: string; code: number; count: number }> {
    for (const [row, name] of NAMES.entries()) {
      const [, service = '', method = ''] = METHODS[name].path.split('/')
      for (let code = 0; code < CODES; code += 1) {
        const count = this.calls[row * CODES + code] ?? 0
        if (count > 0) yield { service, method, code, count }
      }
    }
  }

  /** Answers with a code, of all methods; 8 is a bound that was hit. */
  answered(code: number): number {
    let sum = 0
    for (let at = code; at < this.calls.length; at += CODES) sum += this.calls[at] ?? 0
    return sum
  }
}

type AnyUnary = Unary<unknown, unknown>
