import type { ReadDb } from '../../contracts/storage.ts'
import { jobRow, nodeRow, taskName, type TaskRow } from '../rows.ts'
import { tasksOnNode } from '../tasks/read.ts'
import { opsView, type OpView } from './ops.ts'

/** A task that keeps a drain from being complete. */
export interface LeftTask {
  task: string
  node: string
  /** in words */
  waitsFor: string
  /** the same as a code that `muster explain` knows, where there is one */
  code: string | null
}

/** How far the drain of a target is. */
export interface DrainStatus {
  nodes: string[]
  left: LeftTask[]
  /** every drain of them is over, and nothing is left */
  isDrained: boolean
}

export function drainStatus(db: ReadDb, nodes: string[], now: number): DrainStatus {
  const open = nodes.filter((node) => db.get('SELECT node FROM tw_drain WHERE node = ? AND finished_at IS NOT NULL', node) === undefined)
  return { nodes, left: leftOnNodes(db, open, now), isDrained: open.length === 0 }
}

/** What is still on the nodes, by node and name, and what each of it waits for. */
export function leftOnNodes(db: ReadDb, nodes: readonly string[], now: number): LeftTask[] {
  const tasks = nodes.flatMap((node) => tasksOnNode(db, node))
  const ops = new Map<number, OpView>()
  for (const key of new Set(tasks.map((task) => JSON.stringify([task.job, task.grp])))) {
    const [job, group] = JSON.parse(key) as [string, string]
    for (const op of opsView(db, { job, group }, now)) ops.set(op.taskId, op)
  }
  return tasks
    .map((task) => ({ task: taskName(task), node: task.node, ...waitOf(db, task, ops.get(task.id)) }))
    .sort((a, b) => (a.node === b.node ? (a.task < b.task ? -1 : 1) : a.node < b.node ? -1 : 1))
}

function waitOf(db: ReadDb, task: TaskRow, op: OpView | undefined): Pick<LeftTask, 'waitsFor' | 'code'> {
  if (nodeRow(db, task.node)?.state === 'lost')
    return {
      waitsFor:
        task.state === 'unknown'
          ? 'its node, which is silent: it may run there'
          : 'its node is lost: nobody can say that its process is gone',
      code: null,
    }
  if (task.want === 'stop') return { waitsFor: 'the end of its process', code: null }
  if (op && op.waitsFor !== '') return { waitsFor: op.waitsFor, code: op.code }
  if (op) return { waitsFor: op.state, code: null }
  const kind = jobRow(db, task.job)?.kind
  return kind === 'service' ? { waitsFor: 'its turn', code: null } : { waitsFor: `its own end: it is of a ${kind ?? ''} job`, code: null }
}
