import type { Segment } from '../wal/manifest.ts'
import { specText, type Artefact, type ArtefactSpec } from './artefact.ts'
import { HEAT, type Want } from './heat.ts'
import { COLUMN_SHARE, coveredCopies, heatOfNative, planNative } from './native.ts'

export interface WarmView {
  segments: readonly Segment[]
  built: readonly Artefact[]
  /** the hottest first */
  wants: readonly Want[]
  /** `table, NUL, spec` of what was built once and was no help */
  useless: ReadonlySet<string>
  /** columns that are better read from segments than from native copies, by table */
  notCopied: ReadonlyMap<string, ReadonlySet<string>>
  /** rows that wait to be sealed, as a share of their limit */
  backlogShare: number
  /** bytes that the artefacts of even the smallest table may have */
  budgetMin: number
  nowMs: number
}

export interface WarmPlan {
  build: { segment: Segment; spec: ArtefactSpec }[]
  drop: { artefact: Artefact; why: 'segment gone' | 'cold' | 'covered' | 'budget' }[]
}

/** Share of a table's bytes that its artefacts may have. */
export const BUDGET_SHARE = 0.2
const BACKLOG_SHARE_MAX = 0.25
/** one round builds at most so many: the next round knows better */
const BUILDS_MAX = 200

/** What to build and what to drop, from what was asked lately. The hottest want gets its newest segments first, until the budget is spent. */
export function planWarm({ segments, built, wants, useless, notCopied, backlogShare, budgetMin, nowMs }: WarmView): WarmPlan {
  const plan: WarmPlan = { build: [], drop: [] }
  const present = new Set(segments.map(({ file }) => file))
  const warmth = warmthOf(wants)
  const covered = new Set(coveredCopies(built))
  let kept: Artefact[] = []
  for (const artefact of built) {
    if (!present.has(artefact.segment)) plan.drop.push({ artefact, why: 'segment gone' })
    else if (covered.has(artefact)) plan.drop.push({ artefact, why: 'covered' })
    else if (isCold(warmth(artefact), artefact, nowMs)) plan.drop.push({ artefact, why: 'cold' })
    else kept.push(artefact)
  }
  const heatOf = (artefact: Artefact): number => warmth(artefact)?.heat ?? 0
  for (const table of new Set(segments.map((segment) => segment.table))) {
    const own = segments.filter((segment) => segment.table === table).sort((a, b) => b.maxUs - a.maxUs)
    let room = Math.max(budgetMin, BUDGET_SHARE * own.reduce((sum, { bytes }) => sum + bytes, 0))
    for (const artefact of kept.filter((one) => one.table === table).sort((a, b) => heatOf(b) - heatOf(a) || b.builtAtMs - a.builtAtMs)) {
      room -= artefact.bytes
      if (room >= 0) continue
      room += artefact.bytes
      kept = kept.filter((one) => one !== artefact)
      plan.drop.push({ artefact, why: 'budget' })
    }
    if (backlogShare >= BACKLOG_SHARE_MAX) continue
    const have = new Set(kept.map(({ segment, spec }) => wantKey(segment, spec)))
    const ofTable = wants.filter((want) => want.table === table)
    for (const { spec, heat, fromUs } of ofTable) {
      if (spec.kind === 'native' || heat < HEAT.buildMs || useless.has(wantKey(table, spec))) continue
      for (const segment of own) {
        if (segment.maxUs < fromUs || have.has(wantKey(segment.file, spec)) || plan.build.length >= BUILDS_MAX) continue
        const bytes = estimate(segment, spec, kept)
        if (bytes > room) break
        room -= bytes
        plan.build.push({ segment, spec })
      }
    }
    // What is left is for copies of columns: a question that groups or a filter answers needs none.
    const here = kept.filter((artefact) => artefact.table === table)
    const copies = planNative({ segments: own, kept: here, wants: ofTable, notCopied: notCopied.get(table) ?? new Set(), room, nowMs })
    plan.build.push(...copies.slice(0, Math.max(0, BUILDS_MAX - plan.build.length)).map(({ segment, spec }) => ({ segment, spec })))
  }
  return plan
}

type Warmth = Pick<Want, 'heat' | 'coolSinceMs'>

/** How warm what an artefact is for is; a native copy may be for many questions. */
export function warmthOf(wants: readonly Want[]): (artefact: Pick<Artefact, 'table' | 'spec'>) => Warmth | null {
  const wanted = new Map(wants.map((want) => [wantKey(want.table, want.spec), want]))
  const natives = new Map<string, Warmth | null>()
  return ({ table, spec }) => {
    const key = wantKey(table, spec)
    if (spec.kind !== 'native') return wanted.get(key) ?? null
    const known = natives.get(key)
    if (known !== undefined) return known
    const found = heatOfNative(
      spec,
      wants.filter((want) => want.table === table),
    )
    natives.set(key, found)
    return found
  }
}

/** Key of a want of a table, or of an artefact of a segment. */
export const wantKey = (name: string, spec: ArtefactSpec): string => `${name}\0${specText(spec)}`

/** After a restart nothing is known of heat: an artefact then has its time from when it was built. */
function isCold(want: Warmth | null, { builtAtMs }: Artefact, nowMs: number): boolean {
  if (!want) return nowMs - builtAtMs > HEAT.coolMs
  return want.coolSinceMs !== null && nowMs - Math.max(want.coolSinceMs, builtAtMs) > HEAT.coolMs
}

/** Bytes that an artefact will have: as those like it had for each byte of their segment, else by its kind. */
function estimate(segment: Segment, spec: ArtefactSpec, built: readonly Artefact[]): number {
  const text = specText(spec)
  const like = built.filter((artefact) => artefact.table === segment.table && specText(artefact.spec) === text)
  const average = like.reduce((sum, { bytes }) => sum + bytes, 0) / like.length
  return like.length > 0 ? average : segment.bytes * BYTES_SHARE[spec.kind]
}

const BYTES_SHARE = { bloom: 0.08, rollup: 0.05, native: COLUMN_SHARE } as const
