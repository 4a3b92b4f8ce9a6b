/** Positions `from` to `to` cannot be read (`to` below `from`: only a mark cannot), where a file is damaged from `offset` on. */
export interface Gap {
  from: number
  to: number
  file: string
  offset: number
}

export interface Range {
  from: number
  to: number
}

export interface Damage {
  /** first position of the log, and the one after its last */
  head: number
  tail: number
  gaps: readonly Gap[]
  /** positions that an archive has */
  archived: readonly { first: number; last: number }[]
  /** the last position in the state that is made of the log; 0: none */
  stateEnd: number
}

export interface RepairPlan {
  /**
   * - `nothing`: all can be read
   * - `rewrite`: only what no entry is in is damaged
   * - `archive`: what cannot be read is in an archive
   * - `state`: it is in the state; the log begins after it
   * - `loss`: it is nowhere, so what came after it is lost, too: a state with a hole is none
   */
  how: 'nothing' | 'rewrite' | 'archive' | 'state' | 'loss'
  gaps: Gap[]
  /** first and last position of the log afterwards; `ends` below `begins`: it is empty */
  begins: number
  ends: number
  /** taken from the archive */
  restored: Range[]
  /** no longer in the log, while the state holds what they did; null: none */
  dropped: Range | null
  /** acknowledged, and gone; null: nothing */
  lost: Range | null
}

/** What is to be done with a damaged log of a server alone. Throws nothing: with neither archive nor state all after the damage is lost. */
export function planRepair({ head, tail, gaps, archived, stateEnd }: Damage): RepairPlan {
  const plan: RepairPlan = { how: 'nothing', gaps: [...gaps], begins: head, ends: tail - 1, restored: [], dropped: null, lost: null }
  if (gaps.length === 0) return plan
  const missing = gaps.filter(({ from, to }) => to >= from)
  if (missing.length === 0) return { ...plan, how: 'rewrite' }
  const rest: Range[] = []
  for (const gap of missing) {
    const isArchived = archived.some(({ first, last }) => first <= gap.from && gap.to <= last)
    if (isArchived) plan.restored.push({ from: gap.from, to: gap.to })
    else rest.push({ from: gap.from, to: gap.to })
  }
  if (rest.length === 0) return { ...plan, how: 'archive' }
  // What the state holds need not be in the log; but a log begins after a gap, and not with one in it.
  const held = rest.filter(({ to }) => to <= stateEnd)
  const begins = held.length === 0 ? head : Math.max(...held.map(({ to }) => to)) + 1
  const dropped = begins > head ? { from: head, to: begins - 1 } : null
  const [open] = rest.filter(({ to }) => to > stateEnd)
  const isKept = ({ from, to }: Range): boolean => from >= begins && (open === undefined || to < open.from)
  const restored = plan.restored.filter(isKept)
  if (open === undefined) return { ...plan, how: 'state', begins, restored, dropped }
  // The state reaches into the gap: the log begins anew behind it.
  if (stateEnd >= open.from)
    return {
      ...plan,
      ...{ how: 'loss', begins: stateEnd + 1, ends: stateEnd, restored: [] },
      ...{ dropped: { from: head, to: stateEnd }, lost: { from: stateEnd + 1, to: tail - 1 } },
    }
  return { ...plan, how: 'loss', begins, ends: open.from - 1, restored, dropped, lost: { from: open.from, to: tail - 1 } }
}
