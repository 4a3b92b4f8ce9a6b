import type {
  DiffAnswer,
  DiffRequest,
  PanelAnswer,
  PanelRequest,
  QueryAnswer,
  QueryRequest,
  TableInfo,
} from '../../core/scuba/wire-types.ts'
import { unreadableTime } from '../../core/scuba/explore/range.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import { ApiError, ask } from '../live/api.ts'

/** @throws ApiError where a link's range says no time: another range than the one that is written there would be shown */
export function checkRange(asked: Pick<Asked, 'since' | 'until'>): void {
  const bad = unreadableTime(asked)
  if (bad !== null) throw new ApiError('USAGE', `"${bad}" is no time`, 'Choose a range, or write one as 15m, 7d or 2026-11-30T09:00:00Z.')
}

/** What the pages ask of the store. All reject with ApiError. */
export async function askPanel(request: PanelRequest, signal?: AbortSignal): Promise<PanelAnswer> {
  return (await ask<PanelAnswer>('scuba.panel', request, signal)).data
}

export async function askQuery(request: QueryRequest, signal?: AbortSignal): Promise<QueryAnswer> {
  return (await ask<QueryAnswer>('scuba.query', request, signal)).data
}

export async function askDiff(request: DiffRequest, signal?: AbortSignal): Promise<DiffAnswer> {
  return (await ask<DiffAnswer>('scuba.diff', request, signal)).data
}

export async function askTables(signal?: AbortSignal): Promise<TableInfo[]> {
  return (await ask<{ tables: TableInfo[] }>('scuba.table.list', {}, signal)).data.tables
}
