import type { GroupTask } from '../rows.ts'
import type { GroupView } from './reconcile-group.ts'

/** Whoever was away so long is given up, whatever is to be kept when it returns. */
const AWAY_MS_MAX = 86_400_000

/** The tasks of a group whose nodes are silent, by what is to become of them now. */
export interface Away {
  /** replaced, and not given up: which one stays is seen when the node returns. They count as nobody's place */
  replaced: GroupTask[]
  givenUp: { ids: number[]; cause: string }[]
  /** when something of this changes, log time */
  wakes: number[]
}

/** Who is not due yet, and whose version nobody wants, is a task like any other: kept, or excess. */
export function awayOf(view: Pick<GroupView, 'arms' | 'specs' | 'away'>, active: readonly GroupTask[], now: number): Away {
  const away: Away = { replaced: [], givenUp: [], wakes: [] }
  const givenUp = new Map<string, number[]>()
  const giveUp = (task: GroupTask, why: string): void => {
    const cause = `${task.node} is silent ${why}`
    const ids = givenUp.get(cause)
    if (ids) ids.push(task.id)
    else givenUp.set(cause, [task.id])
  }
  for (const task of active) {
    const row = view.away.get(task.id)
    if (task.state !== 'unknown' || row === undefined) continue
    const endAt = row.since + Math.max(AWAY_MS_MAX, row.due_at - row.since)
    if (now < row.due_at) away.wakes.push(row.due_at)
    else if (view.specs.get(task.version)?.disconnect.keep === 'replacement') giveUp(task, 'for longer than lost_after')
    else if (now >= endAt) giveUp(task, 'for too long to be waited for')
    else if (view.arms.some((arm) => arm.version === task.version)) {
      away.replaced.push(task)
      away.wakes.push(endAt)
    }
  }
  return { ...away, givenUp: [...givenUp].map(([cause, ids]) => ({ ids, cause })) }
}
