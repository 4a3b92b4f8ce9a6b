import type { TaskReport } from '../../core/contracts/node.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { entrySpan, taskSpan } from '../../core/kernel/trace.ts'
import { taskName } from '../../core/tw/rows.ts'
import { taskRow } from '../../core/tw/tasks/read.ts'

/** Spans of tasks that an agent has started, each from its place in the log to its process: of those that are news to the state, and traced. */
export function startSpans(db: ReadDb, reports: readonly TaskReport[]): Record<string, unknown>[] {
  return reports.flatMap(({ id, incarnation, startedAt }) => {
    const row = startedAt === null ? undefined : taskRow(db, id)
    if (row === undefined || row.trace === null || row.started_at !== null || startedAt === null) return []
    const parent = entrySpan(row.placed_position)
    return [
      {
        ...{ time: row.placed_at, trace_id: row.trace, span_id: taskSpan(id, incarnation), parent_span_id: parent, name: 'task.start' },
        ...{ duration_ms: Math.max(0, startedAt - row.placed_at), status: 'ok', kind: 'task', service: 'muster-agent' },
        ...{ node: row.node, task: taskName(row) },
      },
    ]
  })
}
