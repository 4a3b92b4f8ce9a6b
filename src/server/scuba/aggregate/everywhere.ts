import { rankPart, type PanelPlan, type partialPlan } from '../../../core/scuba/plan/panel.ts'
import { coverageOfLeaves, type Answered, type Unanswered } from '../../../core/scuba/shards/coverage.ts'
import type { MergedGroups } from '../../../core/scuba/merge/groups.ts'
import type { CacheUse, Coverage, PanelRequest } from '../../../core/scuba/wire-types.ts'
import { gather, type Gathering } from '../leaf/gather.ts'
import type { Reading } from '../leaf/reading.ts'
import type { Peers } from './peers.ts'

type What = Parameters<typeof partialPlan>[1]

/** Share of what is left of its time that a round may take while others may follow. */
const ROUND_SHARE = 0.6

/** A panel's rounds over all leaves, and what has become of its coverage. */
export class Everywhere {
  readonly #peers: Peers | null
  readonly #request: PanelRequest
  readonly #own: Answered
  #last: { answered: Answered[]; missing: Unanswered[] } = { answered: [], missing: [] }

  constructor(peers: Peers | null, request: PanelRequest, { coverage, rowsScanned }: Reading) {
    this.#peers = peers
    this.#request = request
    this.#own = { coverage, rowsScanned }
  }

  /** Whether this leaf is the only one. */
  get isAlone(): boolean {
    return this.#peers?.isAlone !== false
  }

  get coverage(): Coverage {
    return this.isAlone ? this.#own.coverage : this.#whole.coverage
  }

  get rowsScanned(): number {
    return this.isAlone ? this.#own.rowsScanned : this.#whole.rowsScanned
  }

  get #whole(): Answered {
    return coverageOfLeaves([this.#own, ...this.#last.answered], this.#last.missing)
  }

  /** As `gather`, over this leaf's rows and those of all others. */
  async gather(asked: Gathering, what: What, onPart?: (merged: MergedGroups, rows: number) => Promise<void>): Promise<MergedGroups> {
    const peers = this.#peers
    if (peers === null || peers.isAlone) return gather(asked, what, onPart)
    const left = asked.deadlineAtMs - Date.now()
    const isLast = what === 'all' || typeof what === 'object'
    const { columns, retyped = [], derived = [] } = asked.table.view
    const [merged, others] = await Promise.all([
      gather(asked, what, onPart),
      peers.partials(
        {
          request: { ...this.#request, ...rangeOf(asked.plan) },
          view: { columns, retyped: [...retyped], derived: [...derived] },
          columns: [...asked.columns],
          isPortable: asked.plan.isPortable,
          what: typeof what === 'object' ? { named: what.named.map((key) => key.map(plainKey)) } : what,
        },
        { deadlineMs: isLast ? left : left * ROUND_SHARE, signal: asked.signal },
      ),
    ])
    for (const partial of others.partials) merged.add(partial, null, rankPart(asked.plan))
    for (const { cache } of others.answered as (Answered & { cache?: CacheUse })[]) {
      asked.use.hits += cache?.hits ?? 0
      asked.use.misses += cache?.misses ?? 0
    }
    this.#last = others
    return merged
  }
}

const rangeOf = ({ sinceMs, untilMs }: PanelPlan): { sinceMs: number; untilMs: number; lastMs: undefined; compare: undefined } => ({
  ...{ sinceMs, untilMs },
  ...{ lastMs: undefined, compare: undefined },
})

/** Columns hold plain values only. */
const plainKey = (value: unknown): string | number | boolean | null => value as string | number | boolean | null
