import { whereOf } from '../saved/command.ts'
import type { Asked } from '../saved/schema.ts'
import type { DiffRequest, QueryRequest } from '../wire-types.ts'
import { columnText } from './conditions.ts'
import { rangeOf, timesOf } from './range.ts'

/** A stretch of time, `[fromMs, toMs)`. */
export interface Stretch {
  fromMs: number
  toMs: number
}

/** What is looked at: the question, and the part of its answer that is looked into. */
export interface Explored {
  asked: Asked
  /** marked in the chart */
  mark: Stretch | null
  /** conditions of the point or group that was opened, beside those of the question */
  only: readonly string[]
}

/** The newest rows behind what is shown: of the marked stretch where there is one, of what was opened alone. */
export function rowsRequest({ asked, mark, only }: Explored, nowMs: number, rowsMax: number): QueryRequest {
  const conditions = [...(asked.where ?? []), ...only]
  const where = conditions.length === 0 ? '' : ` WHERE ${whereOf(conditions)}`
  const times = mark === null ? timesOf(asked, nowMs) : { sinceMs: mark.fromMs, untilMs: mark.toMs }
  return { sql: `SELECT * FROM ${asked.table ?? ''}${where} ORDER BY time DESC LIMIT ${rowsMax}`, ...times }
}

/** The marked stretch, or what was opened, against all the rest of what the question is about; null: nothing is chosen. */
export function diffRequest({ asked, mark, only }: Explored, nowMs: number): DiffRequest | null {
  if (mark === null && only.length === 0) return null
  const { sinceMs, untilMs } = rangeOf(asked, nowMs)
  const time = columnText('time')
  const inMark = mark === null ? [] : [`${time} >= make_timestamp(${mark.fromMs * 1000})`, `${time} < make_timestamp(${mark.toMs * 1000})`]
  return {
    table: asked.table ?? '',
    select: whereOf([...inMark, ...only]),
    ...(asked.where === undefined || asked.where.length === 0 ? {} : { where: whereOf(asked.where) }),
    sinceMs: Math.min(sinceMs, mark?.fromMs ?? sinceMs),
    untilMs: Math.max(untilMs, mark?.toMs ?? untilMs),
  }
}
