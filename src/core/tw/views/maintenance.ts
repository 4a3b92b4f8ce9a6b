import type { ReadDb } from '../../contracts/storage.ts'
import { fromJson } from '../rows.ts'
import { workRows, type MaintenanceRow, type WorkRow } from '../maintenance/rows.ts'
import { leftOnNodes, type LeftTask } from './drains.ts'

/** Planned work as people see it. */
export interface MaintenanceView {
  maintenance: number
  kind: MaintenanceRow['kind']
  target: string
  state: MaintenanceRow['state']
  isOverdue: boolean
  command: string[] | null
  window: string | null
  windowMs: number
  zone: string
  level: MaintenanceRow['level']
  maxConcurrent: number
  deadlineMs: number | null
  isHard: boolean
  note: string
  author: string
  createdAtMs: number
  endedAtMs: number | null
  works: WorkView[]
}

export interface WorkView {
  node: string
  domain: string
  state: WorkRow['state']
  sinceMs: number
  startedAtMs: number | null
  deadlineAtMs: number | null
  isOverdue: boolean
  /** or why it ended */
  waitsFor: string
  left: LeftTask[]
  exitCode: number | null
  output: string
}

export function maintenanceView(db: ReadDb, row: MaintenanceRow, now: number): MaintenanceView {
  const works = workRows(db, row.id).map((work): WorkView => {
    const left = work.state === 'draining' ? leftOnNodes(db, [work.node], now) : []
    return {
      node: work.node,
      domain: work.domain,
      state: work.state,
      sinceMs: work.since,
      startedAtMs: work.started_at,
      deadlineAtMs: work.deadline_at,
      isOverdue: work.is_overdue === 1,
      waitsFor:
        left.length > 0
          ? left.map((it) => `${it.task}: ${it.waitsFor}`).join('; ')
          : work.why === '' && work.state === 'scheduled'
            ? 'its turn'
            : work.why,
      left,
      exitCode: work.exit_code,
      output: work.output,
    }
  })
  return {
    maintenance: row.id,
    kind: row.kind,
    target: row.target,
    state: row.state,
    isOverdue: works.some((work) => work.isOverdue && row.state === 'scheduled'),
    command: row.command === null ? null : fromJson<string[]>(row.command),
    window: row.window,
    windowMs: row.window_ms,
    zone: row.zone,
    level: row.level,
    maxConcurrent: row.max_concurrent,
    deadlineMs: row.deadline_ms,
    isHard: row.is_hard === 1,
    note: row.note,
    author: row.author,
    createdAtMs: row.created_at,
    endedAtMs: row.ended_at,
    works,
  }
}
