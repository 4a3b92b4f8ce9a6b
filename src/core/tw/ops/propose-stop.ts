import type { Proposal } from '../../contracts/entry.ts'
import { opsProposed } from '../entries/ops.ts'
import type { TaskRow } from '../rows.ts'
import type { OpCause, OpKind } from './op-row.ts'

/**
 * A planned change to one task, to be carried out by the reconciler once budget and consent have it. `deadlineAt` is log time; a hard one is
 * forced then. For whoever is not the reconciler: defragmentation, preemption, profiles, an operator.
 */
export function proposeStop(
  task: Pick<TaskRow, 'id' | 'job' | 'grp'>,
  kind: OpKind,
  cause: OpCause,
  text: string,
  deadline: { at: number; isHard: boolean } | null = null,
): Proposal {
  const op = { task: task.id, kind, cause, text, deadlineAt: deadline?.at ?? null, isHard: deadline?.isHard ?? false }
  return opsProposed.of({ job: task.job, group: task.grp, ops: [op] })
}
