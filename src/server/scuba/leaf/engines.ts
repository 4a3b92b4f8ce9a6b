import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { MusterError, refuse } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { AnswerCache } from './answer-cache.ts'
import type { Artefacts } from './artefacts/artefacts.ts'
import { Engine, QUERIES_AT_ONCE } from './engine.ts'
import { Flights } from './flights.ts'
import { Noted } from './noted.ts'
import { PartialCache } from './partial-cache.ts'
import type { SegmentStore } from './segment-store.ts'
import { Slots } from './slots.ts'
import type { DividedSql } from './sql-parts/divided.ts'

type Run = Parameters<Engine['run']>[0] & {
  /** names of what is grouped by, to be told when there is no memory for it */
  groupBy?: readonly string[]
}

/** All that answers queries on a leaf: its query engines, one for each four cores, their slots, and what is known of earlier answers. */
export class Engines {
  readonly all: readonly Engine[]
  readonly slots: Slots
  readonly partials = new PartialCache()
  readonly answers = new AnswerCache()
  readonly flights = new Flights()
  /** what was built ahead; none until the leaf has opened it */
  artefacts: Artefacts | null = null
  /** where sealed rows are that no engine here can read */
  away: SegmentStore | null = null
  /** plans whose groups were too many to be sent at once */
  readonly manyGroups = new Noted()
  /** questions for the best of very many groups → the places in which those were; none: groups are too even */
  readonly heavyPlaces = new Map<string, readonly number[]>()
  /** quick forms that the engine refused, by table: products that did not fit into 64 bit, values without a small code */
  readonly notQuick = new Noted()

  /** statements over one table → how they are divided, or why they are not */
  readonly divided = new Map<string, DividedSql | string>()

  /** what reading a value took lately, for estimates; null before the first query */
  msPerCell: number | null = null

  constructor(dir: string, log: Logger, count = Math.max(1, Math.floor(availableParallelism() / 4))) {
    // One more shares the memory: the one that seals.
    this.all = Array.from({ length: count }, (_, number) => new Engine(dir, log, count + 1, `engine-${number + 1}`))
    this.slots = new Slots(count * QUERIES_AT_ONCE)
  }

  /** The one with least to do; all can read everything. */
  get idlest(): Engine {
    const [first] = [...this.all].filter(({ isReady }) => isReady).sort((a, b) => a.load - b.load)
    return first ?? this.first
  }

  get first(): Engine {
    const [first] = this.all
    if (!first) throw new Error('a leaf has at least one engine')
    return first
  }

  get isReady(): boolean {
    return this.all.some(({ isReady }) => isReady)
  }

  start(): void {
    for (const engine of this.all) engine.start()
  }

  stop(): void {
    for (const engine of this.all) engine.stop()
  }

  /**
   * As {@link Engine.run}, on the engine with least to do. Without memory it is tried once more when that engine does nothing
   * else, so that all of its memory, and then its disk, are this query's.
   * @throws SCUBA_MEMORY, naming what was grouped by
   */
  async run({ groupBy = [], ...request }: Run, signal?: AbortSignal): ReturnType<Engine['run']> {
    const until = Date.now() + request.deadlineMs
    const engine = this.idlest
    try {
      return await engine.run(request, signal)
    } catch (error) {
      if (!isOutOfMemory(error)) throw error
    }
    while (engine.load > 0 && Date.now() < until && !signal?.aborted) await sleep(20)
    try {
      return await engine.run({ ...request, deadlineMs: Math.max(1, until - Date.now()) }, signal)
    } catch (error) {
      if (!isOutOfMemory(error) || groupBy.length === 0) throw error
      throw refuse('SCUBA_MEMORY', `grouping by ${groupBy.join(', ')} needs more memory than the engine has`, {
        cause: error,
        details: { groupBy },
      })
    }
  }

  /** Learns from a query what reading costs. */
  learn(cells: number, tookMs: number): void {
    if (cells < 10_000) return
    const one = tookMs / cells
    this.msPerCell = this.msPerCell === null ? one : this.msPerCell * 0.8 + one * 0.2
  }

  /** Forgets what was computed from files that are gone. */
  forget(paths: readonly string[]): void {
    this.partials.dropFiles(paths)
    this.artefacts?.forget(paths)
  }
}

const isOutOfMemory = (error: unknown): boolean => error instanceof MusterError && error.code === 'SCUBA_MEMORY'
