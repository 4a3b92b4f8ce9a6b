import type { GroupDecision, GroupView } from '../controllers/reconcile-group.ts'
import { budgetOf, specInForce } from '../ops/budget.ts'
import { isReady, taskName, type GroupTask } from '../rows.ts'
import { budgetText, consentText } from './ops.ts'

/** Which tasks of a group a change ends. */
export interface PlannedStops {
  /** in the first round, and why */
  now: { task: string; node: string; why: string }[]
  /** how many more go once something lets them */
  later: number
  /** what these wait for, in words; null: none of them waits */
  waitsFor: string | null
}

export function plannedStops(view: GroupView, decision: GroupDecision, now: number): PlannedStops {
  const { ops } = decision
  const live = new Map(view.live.map((task) => [task.id, task]))
  const taskOfOp = new Map(view.ops.map((op) => [op.id, op]))
  const allowed = [...ops.allow, ...ops.force.flatMap((it) => it.ops)].flatMap((id) => taskOfOp.get(id) ?? [])
  const ending: [id: number, why: string][] = [
    ...decision.stop.flatMap(({ ids, cause }) => ids.map((id): [number, string] => [id, cause])),
    ...allowed.map((op): [number, string] => [op.task, op.text]),
    ...ops.propose.flatMap((it): [number, string][] => (it.isAllowed ? [[it.task.id, it.text]] : [])),
  ]
  const gone = new Set(ending.map(([id]) => id))
  const withdrawn = new Set(ops.withdraw.flatMap((it) => it.ops))
  const waiting = [
    ...ops.propose.flatMap((it) => (it.isAllowed ? [] : [it.task])),
    ...view.ops.filter((op) => op.state === 'proposed' && !withdrawn.has(op.id)).flatMap((op) => live.get(op.task) ?? []),
  ].filter((task) => !gone.has(task.id))
  return {
    now: ending.flatMap(([id, why]) => {
      const task = live.get(id)
      return task === undefined ? [] : [{ task: taskName({ job: view.job.name, grp: view.group, idx: task.idx }), node: task.node, why }]
    }),
    later: new Set(waiting.map(({ id }) => id)).size,
    waitsFor: waiting.length === 0 ? null : waitText(view, waiting, gone, now),
  }
}

/** What holds the first of them: the budget once the others are gone, else the application, else its turn. */
function waitText(view: GroupView, waiting: readonly GroupTask[], gone: ReadonlySet<number>, now: number): string {
  const leaving = new Set([...view.leaving, ...gone, ...waiting.map(({ id }) => id)])
  const budget = budgetOf({ ...view, live: view.live.filter(({ id }) => !gone.has(id)), leaving }, now)
  const consent = specInForce(view)?.consent ?? { kind: 'none' }
  if (consent.kind !== 'none' && waiting.every(isReady)) return `the yes of the application (${consentText(consent)})`
  return waiting.some((task) => !budget.take(task)) ? budgetText(budget) : 'their turn'
}
