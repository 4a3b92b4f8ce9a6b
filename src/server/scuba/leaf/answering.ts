import { refuse, type MusterError } from '../../../core/kernel/errors.ts'
import { formatDuration } from '../../../core/kernel/units.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { Coverage } from '../../../core/scuba/wire-types.ts'
import type { Basis } from './answer-cache.ts'
import type { Asker } from './slots.ts'
import type { Reading } from './reading.ts'

/** What all kinds of questions share. */

/** Whoever does not say who it is. */
export const ANYBODY: Asker = { user: 'anybody', isUrgent: false }

export const deadlineOf = ({ deadlineMs }: { deadlineMs?: number | undefined }): number =>
  Math.min(deadlineMs ?? LIMITS.deadlineMs, LIMITS.deadlineMsMax)

export const elapsed = (started: number): number => Math.round((performance.now() - started) * 10) / 10

/** What an answer over a reading stands on. */
export function basisOf({ tables, coverage }: Reading): Basis {
  return {
    version: JSON.stringify(tables.map(({ view }) => ({ ...view, files: undefined, sinceMs: undefined, untilMs: undefined }))),
    files: tables.flatMap(({ basis }) => basis),
    missing: coverage.missing,
  }
}

/** @throws SCUBA_PARTIAL when a full answer was asked for and this is none */
export function whole<T extends { coverage: Coverage }>(answer: T, { require }: { require?: string | undefined }): T {
  if (require === 'full' && answer.coverage.rows < 1) throw partial(answer.coverage)
  return answer
}

function partial({ rows, missing }: Coverage): MusterError {
  const share = (Math.floor(rows * 1000) / 10).toFixed(1)
  return refuse('SCUBA_PARTIAL', `only ${share} % of the rows could be read: ${missing.join('; ')}`, {
    details: { coverage: rows, missing },
  })
}

/**
 * A question over more than the engine reads in reasonable time is refused before it runs.
 * @throws SCUBA_TOO_LARGE, naming the range that fits
 */
export function checkCells(cells: number, { sinceMs, untilMs }: { sinceMs?: number | undefined; untilMs?: number | undefined }): void {
  if (cells <= LIMITS.cellsMax) return
  const spanMs = sinceMs === undefined || untilMs === undefined ? null : Math.floor(((untilMs - sinceMs) * LIMITS.cellsMax) / cells)
  throw refuse('SCUBA_TOO_LARGE', `${cells} values would be read, more than ${LIMITS.cellsMax}`, {
    hint:
      spanMs === null
        ? 'Say a range with --since and --until.'
        : `About ${formatDuration(spanMs)} of this range fit: ask for less with --since.`,
    details: { cells, fitsMs: spanMs },
  })
}
