import type { ReadDb } from '../../contracts/storage.ts'
import { budgetOf, specInForce, type Budget, type Standing } from '../ops/budget.ts'
import type { OpRow } from '../ops/op-row.ts'
import { standingOf } from '../ops/standing.ts'
import { isReady, type TaskRow } from '../rows.ts'
import { taskRow } from '../tasks/read.ts'
import type { ConsentSpec } from '../job-spec.ts'

/** One planned change as people see it. */
export interface OpView {
  op: number
  task: string
  /** id of the task's row */
  taskId: number
  /** null once the task is forgotten */
  node: string | null
  job: string
  group: string
  kind: OpRow['kind']
  cause: OpRow['cause']
  text: string
  state: 'proposed' | 'waiting-budget' | 'asked' | 'delayed' | 'allowed' | 'running' | 'done' | 'failed' | 'withdrawn'
  isForced: boolean
  isHard: boolean
  /** its deadline has passed and it has not been allowed */
  isLate: boolean
  deadlineAtMs: number | null
  delayedUntilMs: number | null
  proposedBy: string
  proposedAtMs: number
  decidedAtMs: number | null
  endedAtMs: number | null
  /** the last word of who delayed, allowed, forced or ended it */
  why: string
  /** what it waits for, in words; '' when it does not wait */
  waitsFor: string
  /** why it waits, as a code that `muster explain` knows */
  code: 'TW_CONSENT_WAIT' | 'TW_NO_SURGE_CAPACITY' | 'TW_BUDGET_WAIT' | null
}

export interface OpSelector {
  job?: string | undefined
  group?: string | undefined
  node?: string | undefined
  /** ended ones of the last hour too */
  isAll?: boolean | undefined
}

/** Planned changes that match, in the order they were proposed. */
export function opsView(db: ReadDb, selector: OpSelector, now: number): OpView[] {
  const rows = db.all<OpRow>(
    `SELECT * FROM tw_op WHERE (? IS NULL OR job = ?) AND (? IS NULL OR grp = ?) ${selector.isAll ? '' : 'AND ended_at IS NULL'} ORDER BY id`,
    selector.job ?? null,
    selector.job ?? null,
    selector.group ?? null,
    selector.group ?? null,
  )
  const groups = new Map<string, GroupStand>()
  return rows
    .map((row) => {
      const key = `${row.job}/${row.grp}`
      let group = groups.get(key)
      if (!group) groups.set(key, (group = standOf(db, row, now)))
      return viewOf(db, row, group, now)
    })
    .filter((op) => selector.node === undefined || op.node === selector.node)
}

interface GroupStand {
  standing: Standing
  budget: Budget
  consent: ConsentSpec
  /** no replacement has come for what should go, and none is on its way */
  lacksRoom: boolean
}

function standOf(db: ReadDb, of: { job: string; grp: string }, now: number): GroupStand {
  const standing = standingOf(db, of.job, of.grp)
  const budget = budgetOf(standing, now)
  const running = standing.live.filter((task) => task.want === 'run')
  const lacksRoom = budget.unavailableMax === 0 && running.length <= budget.total && running.every(isReady)
  return { standing, budget, consent: specInForce(standing)?.consent ?? { kind: 'none' }, lacksRoom }
}

function viewOf(db: ReadDb, op: OpRow, group: GroupStand, now: number): OpView {
  const task = taskRow(db, op.task)
  const wait = op.state === 'proposed' ? waitOf(op, task, group, now) : { state: stateOf(op, task), waitsFor: '', code: null }
  return {
    op: op.id,
    task: op.name,
    taskId: op.task,
    node: task?.node ?? null,
    job: op.job,
    group: op.grp,
    kind: op.kind,
    cause: op.cause,
    text: op.text,
    isForced: op.is_forced === 1,
    isHard: op.is_hard === 1,
    isLate: op.state === 'proposed' && op.deadline_at !== null && op.deadline_at <= now,
    deadlineAtMs: op.deadline_at,
    delayedUntilMs: op.delayed_until,
    proposedBy: op.proposed_by,
    proposedAtMs: op.proposed_at,
    decidedAtMs: op.decided_at,
    endedAtMs: op.ended_at,
    why: op.why,
    ...wait,
  }
}

/** An allowed op runs once its agent acts on it. */
function stateOf(op: OpRow, task: TaskRow | undefined): OpView['state'] {
  if (op.state !== 'allowed') return op.state
  return op.kind === 'restart' || task?.reported === 'stopping' ? 'running' : 'allowed'
}

function waitOf(op: OpRow, task: TaskRow | undefined, group: GroupStand, now: number): Pick<OpView, 'state' | 'waitsFor' | 'code'> {
  const { budget, consent } = group
  if (op.delayed_until !== null && op.delayed_until > now) {
    const seconds = Math.ceil((op.delayed_until - now) / 1000)
    return { state: 'delayed', waitsFor: `delayed for ${seconds} s more${op.why === '' ? '' : `: ${op.why}`}`, code: 'TW_CONSENT_WAIT' }
  }
  if (task === undefined || !isReady(task)) return { state: 'proposed', waitsFor: '', code: null }
  if (budget.left() === 0) {
    if (group.lacksRoom)
      return { state: 'waiting-budget', waitsFor: 'room for its replacement: none may be unavailable', code: 'TW_NO_SURGE_CAPACITY' }
    return { state: 'waiting-budget', waitsFor: budgetText(budget), code: 'TW_BUDGET_WAIT' }
  }
  if (consent.kind !== 'none' && !op.is_consented)
    return { state: 'asked', waitsFor: `the yes of the application (${consentText(consent)})`, code: 'TW_CONSENT_WAIT' }
  return { state: 'proposed', waitsFor: 'its turn', code: null }
}

export function budgetText(budget: Budget): string {
  const missing = Math.max(0, budget.unavailable())
  return `budget: ${missing} of ${budget.total} unavailable, at most ${budget.unavailableMax} may be`
}

/** `http://:control/ops`, `pull`, `./may-stop`. */
export function consentText(consent: ConsentSpec): string {
  if (consent.kind === 'http') return 'url' in consent ? consent.url : `http://:${consent.port}${consent.path}`
  return consent.kind === 'command' ? consent.command.join(' ') : consent.kind
}
