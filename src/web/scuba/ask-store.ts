import type {
  DiffAnswer,
  DiffRequest,
  PanelAnswer,
  PanelRequest,
  QueryAnswer,
  QueryRequest,
  TableInfo,
} from '../../core/scuba/wire-types.ts'
import { ask } from '../live/api.ts'

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
