import { askedOfLink, linkParams } from '../../core/scuba/saved/link.ts'
import { whereOf } from '../../core/scuba/saved/command.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type { DiffRequest, QueryRequest } from '../../core/scuba/wire-types.ts'
import { columnText } from './conditions.ts'
import { rangeOf, timesOf } from './range.ts'

export const TABS = ['groups', 'rows', 'diff'] as const
export type Tab = (typeof TABS)[number]

/** All that the explorer shows follows from this, and this stands in its address. */
export interface Explore {
  asked: Asked
  tab: Tab
  /** a marked stretch of time */
  mark: { fromMs: number; toMs: number } | null
  /** conditions of the point that was opened, beside those of the question */
  only: string[]
}

export function exploreOf(params: URLSearchParams): Explore {
  const tab = params.get('tab')
  const [, from, to] = /^(\d{1,15})-(\d{1,15})$/.exec(params.get('mark') ?? '') ?? []
  return {
    asked: askedOfLink(params),
    tab: TABS.find((each) => each === tab) ?? 'groups',
    mark: from !== undefined && Number(from) < Number(to) ? { fromMs: Number(from), toMs: Number(to) } : null,
    only: params.getAll('only'),
  }
}

/** `table=requests&by=service…`; what is as usual is left out. */
export function searchOf({ asked, tab, mark, only }: Explore): string {
  const params = new URLSearchParams(linkParams(asked))
  if (tab !== 'groups') params.set('tab', tab)
  if (mark !== null) params.set('mark', `${mark.fromMs}-${mark.toMs}`)
  for (const each of only) params.append('only', each)
  return params.toString()
}

/** An item that is there is taken out, another put in. */
export function toggled(list: readonly string[] | undefined, item: string): string[] {
  const before = list ?? []
  return before.includes(item) ? before.filter((each) => each !== item) : [...before, item]
}

/** A question without the lists that are empty. */
export function tidy(asked: Asked): Asked {
  return Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  ) as Asked
}

export const ROWS_SHOWN = 100

/** The newest rows behind what is shown: of the marked stretch where there is one, of the opened point alone. */
export function rowsRequest({ asked, mark, only }: Explore, nowMs: number): QueryRequest {
  const conditions = [...(asked.where ?? []), ...only]
  const where = conditions.length === 0 ? '' : ` WHERE ${whereOf(conditions)}`
  const times = mark === null ? timesOf(asked, nowMs) : { sinceMs: mark.fromMs, untilMs: mark.toMs }
  return { sql: `SELECT * FROM ${asked.table ?? ''}${where} ORDER BY time DESC LIMIT ${ROWS_SHOWN}`, ...times }
}

/** The marked stretch, or the opened point, against all the rest of what the question is about; null: nothing is chosen. */
export function diffRequest({ asked, mark, only }: Explore, nowMs: number): DiffRequest | null {
  if (mark === null && only.length === 0) return null
  const { sinceMs, untilMs } = rangeOf(asked, nowMs)
  const inMark =
    mark === null
      ? []
      : [`${columnText('time')} >= make_timestamp(${mark.fromMs * 1000})`, `${columnText('time')} < make_timestamp(${mark.toMs * 1000})`]
  return {
    table: asked.table ?? '',
    select: whereOf([...inMark, ...only]),
    ...(asked.where === undefined || asked.where.length === 0 ? {} : { where: whereOf(asked.where) }),
    sinceMs: Math.min(sinceMs, mark?.fromMs ?? sinceMs),
    untilMs: Math.max(untilMs, mark?.toMs ?? untilMs),
  }
}
