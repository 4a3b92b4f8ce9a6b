import { z } from 'zod'
import type { ReadDb } from '../../contracts/storage.ts'
import type { ConsentSpec } from '../job-spec.ts'
import { fromJson, isReady, nodeRow, taskName, type TaskRow } from '../rows.ts'
import { budgetOf, specInForce } from './budget.ts'
import { taskRow } from '../tasks/read.ts'
import type { OpRow } from './op-row.ts'
import { standingOf } from './standing.ts'

/** Largest answer of an application, bytes. */
export const CONSENT_ANSWER_BYTES_MAX = 65_536

/** What an application is told of one op. Times are ms since 1970, by the clock of the log. */
export interface ConsentOp {
  op: number
  /** `db/main[2]` */
  task: string
  kind: OpRow['kind']
  cause: OpRow['cause']
  why: string
  /** since when it is planned */
  planned: number
  /** when it is late, or with `hard` carried out in any case; null: never */
  deadline: number | null
  hard: boolean
  /** put off until then, whatever is answered meanwhile; null: it is not */
  delayed: number | null
  /** somebody said yes already: it waits for budget */
  allowed: boolean
}

/** What is posted to an application's endpoint, given to its command, or pulled by it. */
export interface ConsentRequest {
  job: string
  group: string
  budget: { max: number; unavailable: number; left: number }
  /** have not begun: those that wait for its word, those put off, and those that have a yes and wait for budget */
  pending: ConsentOp[]
  /** are being carried out */
  running: ConsentOp[]
}

/** What an application answers. Ops it does not name are not yet allowed; `order` says in which order all should go. */
export const consentAnswerSchema = z.strictObject({
  allow: z.array(z.int()).default([]),
  delay: z.array(z.object({ op: z.int(), until: z.number(), why: z.string().max(1000).default('') })).default([]),
  order: z.array(z.int()).default([]),
})
export type ConsentAnswer = z.output<typeof consentAnswerSchema>

/** A group whose application is to be asked. */
export interface ConsentAsk {
  job: string
  group: string
  consent: ConsentSpec
  request: ConsentRequest
  /** its tasks that serve and have no op under way, by index: where to ask, each as good as the others */
  targets: { id: number; task: string; node: string; address: string; ports: Record<string, number> }[]
}

/** What the application of a group is to be told now; null when the group wants no tasks. */
export function consentRequest(db: ReadDb, job: string, group: string, now: number): ConsentRequest | null {
  return askOf(db, job, group, now)?.request ?? null
}

/**
 * Groups with an op on a serving task that nobody has answered or delayed. What waits for budget (`budget.left` 0) is not to be asked yet,
 * because the answer would be old by then; time alone may bring it.
 */
export function consentAsks(db: ReadDb, now: number): ConsentAsk[] {
  const groups = db.all<{ job: string; grp: string }>("SELECT DISTINCT job, grp FROM tw_op WHERE ended_at IS NULL AND state = 'proposed'")
  return groups.flatMap(({ job, grp }) => {
    const ask = askOf(db, job, grp, now)
    return ask === null || ask.consent.kind === 'none' || ask.request.pending.every((op) => op.allowed || op.delayed !== null) ? [] : [ask]
  })
}

function askOf(db: ReadDb, job: string, group: string, now: number): ConsentAsk | null {
  const standing = standingOf(db, job, group)
  const spec = specInForce(standing)
  if (!spec) return null
  const budget = budgetOf(standing, now)
  const live = new Map(standing.live.map((task) => [task.id, task]))
  const isPending = (op: OpRow): boolean => {
    const task = live.get(op.task)
    return op.state === 'proposed' && task !== undefined && isReady(task)
  }
  const running = standing.ops.filter((op) => op.state === 'allowed')
  const busy = new Set(running.map((op) => op.task))
  const serving = standing.live.filter((task) => task.want === 'run' && isReady(task) && !busy.has(task.id))
  return {
    job,
    group,
    consent: spec.consent,
    request: {
      job,
      group,
      budget: { max: budget.unavailableMax, unavailable: Math.max(0, budget.unavailable()), left: budget.left() },
      pending: standing.ops.filter(isPending).map((op) => told(op, now)),
      running: running.map((op) => told(op, now)),
    },
    targets: serving.flatMap(({ id }) => targetOf(db, taskRow(db, id)) ?? []),
  }
}

function told(op: OpRow, now: number): ConsentOp {
  return {
    op: op.id,
    task: op.name,
    kind: op.kind,
    cause: op.cause,
    why: op.text,
    planned: op.proposed_at,
    deadline: op.deadline_at,
    hard: op.is_hard === 1,
    delayed: op.delayed_until !== null && op.delayed_until > now ? op.delayed_until : null,
    allowed: op.is_consented === 1,
  }
}

function targetOf(db: ReadDb, task: TaskRow | undefined): ConsentAsk['targets'][number] | undefined {
  return (
    task && {
      id: task.id,
      task: taskName(task),
      node: task.node,
      address: nodeRow(db, task.node)?.address ?? '',
      ports: fromJson<Record<string, number>>(task.ports),
    }
  )
}
