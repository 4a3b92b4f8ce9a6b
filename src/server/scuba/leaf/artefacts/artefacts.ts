import type { PartialPlan, Rollup } from '../../../../core/scuba/plan/sources.ts'
import type { ViewFile } from '../../../../core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../../core/scuba/rows/columns.ts'
import type { Equality } from '../../../../core/scuba/sql/equalities.ts'
import { specText, specWords, type Artefact, type ArtefactSpec } from '../../../../core/scuba/warm/artefact.ts'
import { Heat } from '../../../../core/scuba/warm/heat.ts'
import { planWarm, warmthOf, wantKey } from '../../../../core/scuba/warm/planner.ts'
import { covers, rollupSource, rollupsOf } from '../../../../core/scuba/warm/rollup.ts'
import type { ArtefactsStatus } from '../../../../core/scuba/operations/asking.ts'
import type { Engines } from '../engines.ts'
import type { ReadTable } from '../reading.ts'
import type { Store } from '../store.ts'
import { build } from './build.ts'
import { narrowFile, placesOf } from './lookup.ts'
import { NativeCopies } from './native-copies.ts'
import { Shelf } from './shelf.ts'
import { TailCopies } from './tail-copies.ts'

/** Form of the files; with another one, or another engine, all are made anew. */
const FORMAT = 3
/** kinds of artefacts whose saving is remembered */
const COSTS_MAX = 1000
/** a round of building and dropping */
const ROUND_MS = 60_000
/** bytes of unsealed rows, above a quarter of which nothing is built */
const BACKLOG_BYTES_MAX = 4 * 1024 ** 3
/** a filter has a size of its own, however small its segment */
const BUDGET_BYTES_MIN = 8 * 1024 ** 2
/** one question in so many that an artefact served is also answered from the rows */
const CHECK_EVERY = 1000

/**
 * The artefacts of a leaf: what was asked often, built ahead, and used in place of rows. All of it can be lost; nothing here
 * may change an answer.
 */
export class Artefacts {
  readonly heat = new Heat()
  readonly tails: TailCopies
  readonly copies: NativeCopies
  readonly engines: Engines
  readonly log: Store['log']
  readonly #store: Store
  readonly #shelf: Shelf
  readonly #useless = new Set<string>()
  /** columns that native copies are no help for, by table */
  readonly #notCopied = new Map<string, Set<string>>()
  readonly #uses = new Map<string, { uses: number; savedMs: number }>()
  /** what a question took without the artefact, ms of the engine */
  readonly #costs = new Map<string, number>()
  #isOpen = false
  #isBusy = false
  #roundAtMs = Date.now()
  #served = 0
  #checked = 0
  #differences = 0

  constructor(store: Store, engines: Engines) {
    this.#store = store
    this.engines = engines
    this.log = store.log
    this.#shelf = new Shelf(store, engines)
    this.tails = new TailCopies(store, engines, this.dir)
    this.copies = new NativeCopies(this, this.#shelf)
  }

  get dir(): string {
    return this.#shelf.dir
  }

  /** Takes over what an earlier process built with the same engine. Call when the engine answers. */
  async open(): Promise<void> {
    await this.#shelf.open(`${FORMAT} ${await this.engines.first.version()}`)
    this.#isOpen = true
  }

  /** What a question cost that such artefacts would have made cheaper. */
  note(table: string, specs: readonly ArtefactSpec[], costMs: number, fromUs: number): void {
    for (const spec of specs) {
      this.heat.note(table, spec, costMs, fromUs, Date.now())
      if (this.#costs.size >= COSTS_MAX) this.#costs.clear()
      this.#costs.set(wantKey(table, spec), costMs)
    }
  }

  /** A round each minute; called each second. */
  async tick(nowMs: number): Promise<void> {
    if (nowMs - this.#roundAtMs < ROUND_MS) return
    await this.round(nowMs)
  }

  /** Builds and drops as planned; a failure is logged, and planned again in the next round. */
  async round(nowMs: number): Promise<void> {
    if (this.#isBusy || !this.#isOpen) return
    this.#isBusy = true
    this.#roundAtMs = nowMs
    try {
      const plan = planWarm({
        segments: this.#store.tails().flatMap(({ name }) => this.#store.ownSegments(name)),
        built: this.#shelf.all(),
        wants: this.heat.wants(nowMs),
        useless: this.#useless,
        notCopied: this.#notCopied,
        backlogShare: this.#backlogShare(),
        budgetMin: BUDGET_BYTES_MIN,
        nowMs,
      })
      this.#shelf.drop(plan.drop.map(({ artefact }) => artefact))
      for (const { segment, spec } of plan.build) {
        const known = this.#notCopied.get(segment.table)
        if (spec.kind === 'native' && Object.keys(spec.columns).some((name) => known?.has(name))) continue
        if (this.#useless.has(wantKey(segment.table, spec)) || this.#backlogShare() >= 0.25) continue
        const built = await build(this.#store, this.engines, this.dir, segment, spec)
        if (built === 'useless') this.#useless.add(wantKey(segment.table, spec))
        else if ('notCopied' in built) this.#notCopied.set(segment.table, new Set([...(known ?? []), ...built.notCopied]))
        // The segment may have gone meanwhile.
        else if (this.#shelf.hasSegment(built)) this.#shelf.add(built)
        else this.#store.discard([this.#shelf.pathOf(built)])
      }
      await this.copies.scrub()
    } catch (error) {
      this.log.warn('an artefact could not be built', { error: String(error) })
    } finally {
      this.#isBusy = false
    }
  }

  /** Forgets those of files that are gone. */
  forget(paths: readonly string[]): void {
    this.tails.forget(paths)
    this.#shelf.drop(paths.flatMap((path) => this.#shelf.of(path)))
  }

  /** What stands in for the rows of files in a plan, when each of them has it; `isUsed`: it is asked, not only explained. */
  rollupsFor(table: string, plan: PartialPlan, types: ColumnTypes, files: readonly ViewFile[], isUsed = true): Rollup[] | null {
    const wanted = files.length > 0 && !this.#shelf.isEmpty ? rollupsOf(plan, types) : null
    if (!wanted) return null
    const rollups: Rollup[] = []
    for (const [at, want] of wanted.entries()) {
      const found = files.map(({ path }) => this.#shelf.of(path).find(({ spec }) => spec.kind === 'rollup' && covers(spec, want)))
      const first = found[0]
      // All of one kind, so that they are one SELECT.
      if (first?.spec.kind !== 'rollup' || !found.every((one) => one && specText(one.spec) === specText(first.spec))) return null
      rollups.push(
        rollupSource(
          plan,
          at,
          first.spec,
          found.flatMap((one) => (one ? [this.#shelf.pathOf(one)] : [])),
        ),
      )
      if (isUsed) this.#use(table, first.spec, files)
    }
    return rollups
  }

  /**
   * The files in which rows with these values can be, each with the stretches of it; null when nothing is known of them.
   * @param isUsed the question is asked, not only explained
   */
  async narrow(
    { name: table, files, view }: ReadTable,
    equalities: readonly Equality[],
    signal?: AbortSignal,
    isUsed = true,
  ): Promise<ViewFile[] | null> {
    let narrowed: ViewFile[] | null = null
    for (const { column, value } of equalities) {
      const name = nameOf(column, view.columns)
      if (!isStoredText(name, view)) continue
      const spec: ArtefactSpec = { kind: 'bloom', column: name }
      const text = specText(spec)
      const filterOf = ({ path }: ViewFile): Artefact | undefined =>
        this.#shelf.of(path).find((artefact) => specText(artefact.spec) === text)
      if (!files.some((file) => filterOf(file))) continue
      const places = await placesOf(this.engines, value, signal)
      narrowed = (narrowed ?? files).flatMap((file) => {
        const filter = filterOf(file)
        return filter ? narrowFile(file, this.#shelf.pathOf(filter), places) : [file]
      })
      if (isUsed) this.#use(table, spec, files)
    }
    return narrowed
  }

  /** The filters that would have helped a question with these conditions. */
  filtersFor({ name, view }: ReadTable, equalities: readonly Equality[]): ArtefactSpec[] {
    return equalities
      .map(({ column }) => nameOf(column, view.columns))
      .filter((column) => isStoredText(column, view) && !this.#useless.has(wantKey(name, { kind: 'bloom', column })))
      .map((column) => ({ kind: 'bloom', column }))
  }

  /** Whether there is a filter for one of these values, by which most rows need not be looked at. */
  hasFilter({ files, view }: ReadTable, equalities: readonly Equality[]): boolean {
    const texts = new Set(equalities.map(({ column }) => specText({ kind: 'bloom', column: nameOf(column, view.columns) })))
    return texts.size > 0 && files.some(({ path }) => this.#shelf.of(path).some(({ spec }) => texts.has(specText(spec))))
  }

  /** Whether such artefacts were built and are of no help. */
  isUseless(table: string, specs: readonly ArtefactSpec[]): boolean {
    return specs.some((spec) => this.#useless.has(wantKey(table, spec)))
  }

  /** Copies were read in place of segments. */
  used(copies: readonly Artefact[], savedMs: number): void {
    for (const key of new Set(copies.map(({ table, spec }) => wantKey(table, spec)))) {
      const known = this.#uses.get(key) ?? { uses: 0, savedMs: 0 }
      this.#uses.set(key, { uses: known.uses + 1, savedMs: Math.round(known.savedMs + savedMs) })
    }
  }

  /** Whether this answer is one of those that are checked against the rows. */
  isToBeChecked(): boolean {
    this.#served += 1
    if (this.#served % CHECK_EVERY !== 0) return false
    this.#checked += 1
    return true
  }

  /** An answer differed from that of the rows: all artefacts of the table go, and it is told as a metric, which alerts can watch. */
  async differed(table: string, what: string): Promise<void> {
    this.#differences += 1
    this.log.error('an artefact gave another answer than the rows', { table, what })
    this.#shelf.drop(this.#shelf.all().filter((artefact) => artefact.table === table))
    const row = { time: Date.now(), name: 'scuba.artefact.difference', target: table, value: 1, message: what }
    await this.#store.ingest('muster_metrics', Buffer.from(JSON.stringify(row)), { key: null, ack: 'memory' })
  }

  status(): ArtefactsStatus {
    const groups = new Map<string, ArtefactsStatus['artefacts'][number]>()
    const warmth = warmthOf(this.heat.wants(Date.now()))
    for (const { table, spec, bytes, rows, buildMs } of this.#shelf.all()) {
      const key = wantKey(table, spec)
      const { uses, savedMs } = this.#uses.get(key) ?? { uses: 0, savedMs: 0 }
      const group = groups.get(key) ?? {
        table,
        kind: spec.kind,
        of: specWords(spec),
        segments: 0,
        bytes: 0,
        rows: 0,
        buildMs: 0,
        heatMs: Math.round(warmth({ table, spec })?.heat ?? 0),
        uses,
        savedMs,
      }
      group.segments += 1
      group.bytes += bytes
      group.rows += rows
      group.buildMs += buildMs
      groups.set(key, group)
    }
    return { artefacts: [...groups.values(), ...this.tails.status()], checked: this.#checked, differences: this.#differences }
  }

  /** A use keeps the artefact as warm as the question without it would have. */
  #use(table: string, spec: ArtefactSpec, files: readonly ViewFile[]): void {
    const key = wantKey(table, spec)
    const costMs = this.#costs.get(key) ?? 0
    const known = this.#uses.get(key) ?? { uses: 0, savedMs: 0 }
    this.#uses.set(key, { uses: known.uses + 1, savedMs: Math.round(known.savedMs + costMs) })
    this.heat.note(table, spec, costMs, Math.min(...files.map(({ minUs }) => minUs)), Date.now())
  }

  #backlogShare(): number {
    return this.#store.tails().reduce((sum, { unsealedBytes }) => sum + unsealedBytes, 0) / BACKLOG_BYTES_MAX
  }
}

/** Whether a column is the text that segments hold: a derived or retyped one can change while they do not. */
const isStoredText = (column: string, { columns, retyped = [] }: ReadTable['view']): boolean =>
  columns[column] === 'VARCHAR' && !retyped.includes(column)

const nameOf = (column: string, columns: ColumnTypes): string =>
  Object.keys(columns).find((name) => name.toLowerCase() === column.toLowerCase()) ?? column
