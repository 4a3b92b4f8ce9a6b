import type { Coverage } from '../wire-types.ts'

/** What one leaf, or one that answered for several, looked at. */
export interface Answered {
  coverage: Coverage
  rowsScanned: number
}

/** A leaf that did not answer, with how many rows of the question it is thought to hold. */
export interface Unanswered {
  leaf: string
  reason: string
  /** null: nobody knows; it is thought to hold as many as the others do on average */
  rows: number | null
}

/**
 * What part of all leaves' rows is in an answer. While a leaf is missing the share is below one, also when that leaf was not known
 * to hold any: it may have taken some in since.
 */
export function coverageOfLeaves(answered: readonly Answered[], missing: readonly Unanswered[]): Answered {
  const rowsScanned = answered.reduce((sum, { rowsScanned: rows }) => sum + rows, 0)
  const owed = answered.reduce((sum, { coverage, rowsScanned: rows }) => sum + (coverage.rows > 0 ? rows / coverage.rows : rows + 1), 0)
  const leaves = answered.reduce((sum, { coverage }) => sum + coverage.leaves, 0)
  const average = leaves === 0 ? 1 : rowsScanned / leaves
  const away = missing.reduce((sum, { rows }) => sum + Math.max(1, rows ?? average), 0)
  const isWhole = missing.length === 0 && answered.every(({ coverage }) => coverage.rows >= 1)
  const known = (of: (coverage: Coverage) => number | null): number[] =>
    answered.flatMap(({ coverage }) => {
      const value = of(coverage)
      return value === null ? [] : [value]
    })
  const ends = (of: 'fromMs' | 'toMs' | 'hotToMs', pick: (...values: number[]) => number): number | null => {
    const values = known((coverage) => coverage[of])
    return values.length === 0 ? null : values.reduce((a, b) => pick(a, b))
  }
  const byCopy = [...new Set(answered.flatMap(({ coverage }) => coverage.byCopy ?? []))]
  return {
    rowsScanned,
    coverage: {
      rows: isWhole ? 1 : rowsScanned / (owed + away),
      segments: answered.reduce((sum, { coverage }) => sum + coverage.segments, 0),
      chunks: answered.reduce((sum, { coverage }) => sum + coverage.chunks, 0),
      leaves,
      leavesAsked: answered.reduce((sum, { coverage }) => sum + (coverage.leavesAsked ?? coverage.leaves), 0) + missing.length,
      fromMs: ends('fromMs', Math.min),
      toMs: ends('toMs', Math.max),
      hotToMs: ends('hotToMs', Math.max),
      missing: [...answered.flatMap(({ coverage }) => coverage.missing), ...missing.map(({ leaf, reason }) => `leaf ${leaf}: ${reason}`)],
      ...(byCopy.length > 0 ? { byCopy } : {}),
    },
  }
}
