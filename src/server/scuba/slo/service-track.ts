import type { ZoneTable } from '../../../core/kernel/zone.ts'
import { evaluateSlo, type SloEvaluation } from '../../../core/scuba/slo/evaluate.ts'
import { WINDOW_DAYS_MAX } from '../../../core/scuba/slo/file.ts'
import { compileSlo, type CompiledSlo, type Objective } from '../../../core/scuba/slo/objective.ts'
import { excludedOf, type Exclusion, type StoredSlo } from '../../../core/scuba/slo/queries.ts'
import { BUCKET_MS, FINE_MS, MINUTE_MS, SliSeries } from '../../../core/scuba/slo/series.ts'
import { TIER_LOOK_BACK_MS } from '../../../core/scuba/slo/tiers.ts'
import { loadHistory, sendRows, sloRows, type Kept, type SloRows } from './history.ts'
import { readSlis, type SliClient } from './sli.ts'

/** Rows may come this late and still count. */
const LATE_MS = 60_000
/** Read at once when a server is new or the store was away; what is older follows piece by piece. */
const CATCH_UP_MS = 5 * 60_000
const FINE_PIECE_MS = 3_600_000
const MINUTES_PIECE_MS = 12 * 3_600_000
/** A piece that could not be read in its time is tried again half as long, down to this. */
const PIECE_MS_MIN = 600_000
const DAY_MS = 86_400_000

interface Tracked {
  objective: Objective
  series: SliSeries
  /** end of the newest 10 s bucket that is in the table, ms */
  savedToMs: number
}

/**
 * The SLIs of one service, kept up to date: the newest minute is read again at every look, history comes from `muster_slo`
 * and, where that has none, from the rows themselves. Soft: all of it is read again after a restart.
 */
export class ServiceTrack {
  readonly slo: CompiledSlo
  readonly version: number
  readonly evaluations = new Map<string, SloEvaluation>()
  /** why it could not be measured the last time; null: it could */
  failure: string | null = null
  readonly #client: SliClient
  /** by what is measured: objectives that measure the same share it */
  readonly #tracked = new Map<string, Tracked>()
  #isLoaded = false
  #isWhole = false
  #doneToMs = 0
  #unsent: SloRows | null = null
  #isFilling = false
  #pieceMs = MINUTES_PIECE_MS

  constructor(client: SliClient, { file, version }: StoredSlo) {
    this.#client = client
    this.slo = compileSlo(file)
    this.version = version
    for (const objective of this.slo.objectives) {
      if (!this.#tracked.has(objective.hash)) this.#tracked.set(objective.hash, { objective, series: new SliSeries(), savedToMs: 0 })
    }
  }

  /** Reads what is new up to `asOfMs` and judges every objective. Never rejects: what went wrong is in `failure`. */
  async look(asOfMs: number, nowMs: number, zone: ZoneTable, excluded: readonly Exclusion[]): Promise<void> {
    try {
      await this.#read(asOfMs)
      if (!this.#isLoaded) await this.#load(asOfMs)
      for (const objective of this.slo.objectives) {
        const series = this.#tracked.get(objective.hash)?.series
        if (series === undefined) continue
        this.evaluations.set(
          objective.name,
          evaluateSlo(objective, series, {
            version: this.version,
            atMs: nowMs,
            asOfMs,
            window: this.slo.window,
            zone,
            excluded: excludedOf(excluded, objective.name),
            isWhole: this.#isWhole,
          }),
        )
      }
      this.failure = null
      await this.#save(asOfMs)
      if (!this.#isWhole && !this.#isFilling) void this.#fill(asOfMs)
    } catch (error) {
      this.failure = (error as Error).message
    }
  }

  async #read(asOfMs: number): Promise<void> {
    // Also after the clock leapt, forward or back.
    if (Math.abs(asOfMs - this.#doneToMs) > CATCH_UP_MS) {
      this.#isWhole = false
      this.#doneToMs = asOfMs - CATCH_UP_MS
    }
    const fromMs = floor(Math.max(this.#doneToMs - LATE_MS, asOfMs - CATCH_UP_MS), BUCKET_MS)
    await this.#put(fromMs, asOfMs, BUCKET_MS, true)
    this.#doneToMs = asOfMs
  }

  /** Reads `[fromMs, toMs)` from the rows and puts it; with `isNewest` over what is known, else only where nothing is. Gives what was put. */
  async #put(fromMs: number, toMs: number, stepMs: number, isNewest: boolean): Promise<{ objective: Objective; buckets: Kept[] }[]> {
    const counts = await readSlis(this.#client, this.slo, fromMs, toMs, stepMs, isNewest)
    const put: { objective: Objective; buckets: Kept[] }[] = []
    for (const [hash, { objective, series }] of this.#tracked) {
      const buckets: Kept[] = []
      for (let startMs = fromMs; startMs < toMs; startMs += stepMs) {
        const isKnown = stepMs === BUCKET_MS ? series.bucket(startMs) !== null : series.hasMinute(startMs)
        if (isKnown && !isNewest) continue
        const found = counts.get(hash)?.get(startMs) ?? { good: 0, total: 0 }
        if (stepMs === BUCKET_MS) series.put(startMs, found)
        else series.putMinute(startMs, found)
        buckets.push({ startMs, ...found })
      }
      if (buckets.length > 0) put.push({ objective, buckets })
    }
    return put
  }

  async #load(asOfMs: number): Promise<void> {
    const fineFromMs = this.#fineFromMs(asOfMs)
    for (const tracked of this.#tracked.values()) {
      const range = { fromMs: floor(asOfMs - WINDOW_DAYS_MAX * DAY_MS, MINUTE_MS), fineFromMs, untilMs: asOfMs }
      tracked.savedToMs = Math.max(tracked.savedToMs, await loadHistory(this.#client, tracked.objective, tracked.series, range))
    }
    this.#isLoaded = true
  }

  /** From here on 10 s buckets, before it minutes. */
  #fineFromMs(asOfMs: number): number {
    return floor(asOfMs - FINE_MS, MINUTE_MS) + 10 * MINUTE_MS
  }

  /** What lies between the oldest row and now and is in no bucket yet, newest first, so that the urgent tiers know first. */
  async #fill(asOfMs: number): Promise<void> {
    this.#isFilling = true
    try {
      const oldestMs = await this.#oldestMs(asOfMs)
      const fineFromMs = this.#fineFromMs(asOfMs)
      for (let toMs = floor(asOfMs - LATE_MS, MINUTE_MS); toMs > oldestMs;) {
        const isFine = toMs > fineFromMs
        const stepMs = isFine ? BUCKET_MS : MINUTE_MS
        const pieceMs = Math.min(this.#pieceMs, isFine ? FINE_PIECE_MS : MINUTES_PIECE_MS)
        const fromMs = Math.max(toMs - pieceMs, oldestMs, isFine ? fineFromMs : 0)
        if (this.#hasGap(fromMs, toMs, stepMs)) {
          const put = await this.#put(fromMs, toMs, stepMs, false)
          if (put.length > 0) await sendRows(this.#client, sloRows(this.slo.file.service, stepMs, put))
        }
        toMs = fromMs
      }
      this.#isWhole = true
    } catch (error) {
      // The next look tries again; what was put stays.
      this.#pieceMs = Math.max(PIECE_MS_MIN, this.#pieceMs / 2)
      this.failure = (error as Error).message
    } finally {
      this.#isFilling = false
    }
  }

  /** Where looking for history ends: the window's beginning or the oldest row of the table, ms. */
  async #oldestMs(asOfMs: number): Promise<number> {
    const { window } = this.slo
    const backMs = Math.max(TIER_LOOK_BACK_MS, window.kind === 'rolling' ? window.ms : WINDOW_DAYS_MAX * DAY_MS)
    try {
      const { fromMs } = await this.#client.table(this.slo.file.table)
      return floor(Math.max(asOfMs - backMs, fromMs ?? asOfMs), MINUTE_MS)
    } catch (error) {
      if ((error as { code?: string }).code === 'SCUBA_TABLE_UNKNOWN') return asOfMs
      throw error
    }
  }

  #hasGap(fromMs: number, toMs: number, stepMs: number): boolean {
    for (const { series } of this.#tracked.values()) {
      for (let startMs = fromMs; startMs < toMs; startMs += stepMs) {
        if (stepMs === BUCKET_MS ? series.bucket(startMs) === null : !series.hasMinute(startMs)) return true
      }
    }
    return false
  }

  /** Writes the buckets that no late row changes any more. What is under way is sent again as it was until it is there. */
  async #save(asOfMs: number): Promise<void> {
    if (this.#unsent === null) {
      const kept = [...this.#tracked.values()].map((tracked) => ({ tracked, buckets: finished(tracked, asOfMs) }))
      const full = kept.filter(({ buckets }) => buckets.length > 0)
      if (full.length === 0) return
      this.#unsent = sloRows(
        this.slo.file.service,
        BUCKET_MS,
        full.map(({ tracked, buckets }) => ({ objective: tracked.objective, buckets })),
      )
      for (const { tracked, buckets } of full) tracked.savedToMs = (buckets.at(-1)?.startMs ?? 0) + BUCKET_MS
    }
    await sendRows(this.#client, this.#unsent)
    this.#unsent = null
  }
}

function finished({ series, savedToMs }: Tracked, asOfMs: number): Kept[] {
  const kept: Kept[] = []
  for (
    let startMs = Math.max(savedToMs, floor(asOfMs - CATCH_UP_MS, BUCKET_MS));
    startMs + BUCKET_MS + LATE_MS <= asOfMs;
    startMs += BUCKET_MS
  ) {
    const counts = series.bucket(startMs)
    if (counts) kept.push({ startMs, ...counts })
  }
  return kept
}

const floor = (ms: number, step: number): number => Math.floor(ms / step) * step
