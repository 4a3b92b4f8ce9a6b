import type { PartList } from '../plan/parts.ts'
import type { PlainValue } from '../wire-types.ts'
import { Histogram } from './histogram.ts'
import { HyperLogLog } from './hyperloglog.ts'
import { mergeAmounts, type Amount, type Partial, type PartialRow } from './partial.ts'

/** Parts and sketches of one group, over all steps or in one of them. */
export class Cell {
  readonly parts: Amount[]
  readonly sketches: (Histogram | HyperLogLog | null)[]

  constructor(list: PartList) {
    this.parts = list.parts.map(() => null)
    this.sketches = list.sketches.map(() => null)
  }

  addRow(list: PartList, row: PartialRow, registers: number): void {
    list.parts.forEach((part, at) => (this.parts[at] = mergeAmounts(part, this.parts[at] ?? null, row.parts[at] ?? null)))
    row.sketches.forEach((sketch, at) => {
      if (!sketch) return
      const mine = (this.sketches[at] ??= list.sketches[at]?.kind === 'distinct' ? new HyperLogLog(registers) : new Histogram())
      const { codes, weights } = sketch
      if (mine instanceof HyperLogLog) for (const code of codes) mine.add(code)
      else for (let i = 0; i < codes.length; i += 1) mine.add(codes[i] ?? 0, weights?.[i] ?? 0)
    })
  }

  merge(list: PartList, other: Cell): void {
    list.parts.forEach((part, at) => (this.parts[at] = mergeAmounts(part, this.parts[at] ?? null, other.parts[at] ?? null)))
    other.sketches.forEach((sketch, at) => {
      const mine = this.sketches[at] ?? null
      if (sketch === null) return
      if (mine === null) this.sketches[at] = copyOf(sketch)
      else if (mine instanceof HyperLogLog && sketch instanceof HyperLogLog) mine.merge(sketch)
      else if (mine instanceof Histogram && sketch instanceof Histogram) mine.merge(sketch)
    })
  }
}

function copyOf(sketch: Histogram | HyperLogLog): Histogram | HyperLogLog {
  if (sketch instanceof HyperLogLog) {
    const copy = new HyperLogLog(sketch.ranks.length)
    copy.merge(sketch)
    return copy
  }
  const copy = new Histogram()
  copy.merge(sketch)
  return copy
}

export interface MergedGroup {
  key: readonly PlainValue[]
  /** over the whole range */
  total: Cell
  steps: Map<number, Cell>
  /** how many sources sent it of those that cut others off */
  cuts: number
}

/** Partials put together. The order they come in does not matter but for the rounding of fractions. */
export class MergedGroups {
  readonly groups = new Map<string, MergedGroup>()
  /** what a group that a source cut off may have had there at most, of the ranking part; summed over sources */
  missing = 0
  isCut = false
  /** sources that did not send all */
  cuts = 0
  /** a source alone had so many */
  countMin = 0
  readonly #list: PartList
  readonly #registers: number

  constructor(list: PartList, registers: number) {
    this.#list = list
    this.#registers = registers
  }

  /**
   * @param steps only rows of these steps, [from, to) in ms: a source that lies partly outside of the range is then used as it is
   * @param rankPart by which the source chose the groups it sent
   */
  add(partial: Partial, steps: { fromMs: number; toMs: number } | null, rankPart: number): void {
    for (const row of partial.rows) {
      if (steps && row.step !== null && (row.step < steps.fromMs || row.step >= steps.toMs)) continue
      let group = this.groups.get(row.id)
      if (!group) this.groups.set(row.id, (group = { key: row.key, total: new Cell(this.#list), steps: new Map(), cuts: 0 }))
      if (partial.isCut) group.cuts += 1
      group.total.addRow(this.#list, row, this.#registers)
      if (row.step === null) continue
      let cell = group.steps.get(row.step)
      if (!cell) group.steps.set(row.step, (cell = new Cell(this.#list)))
      cell.addRow(this.#list, row, this.#registers)
    }
    this.countMin = Math.max(this.countMin, partial.count)
    if (!partial.isCut) return
    this.isCut = true
    this.cuts += 1
    this.missing += partial.missing ?? partial.rows.reduce((least, { parts }) => Math.min(least, Number(parts[rankPart] ?? 0)), Infinity)
  }

  /** Groups put together into one. */
  sumOf(groups: readonly MergedGroup[]): MergedGroup {
    const sum: MergedGroup = { key: [], total: new Cell(this.#list), steps: new Map(), cuts: 0 }
    for (const { total, steps } of groups) {
      sum.total.merge(this.#list, total)
      for (const [step, cell] of steps) {
        let mine = sum.steps.get(step)
        if (!mine) sum.steps.set(step, (mine = new Cell(this.#list)))
        mine.merge(this.#list, cell)
      }
    }
    return sum
  }
}
