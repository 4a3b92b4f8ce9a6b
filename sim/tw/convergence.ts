import { isRefusal } from '../../src/core/kernel/errors.ts'
import { explain } from '../../src/core/tw/operations.ts'
import { liveOnNode, liveTasks, taskRow, tasksOnNode } from '../../src/core/tw/tasks/read.ts'
import {
  armRows,
  groupSpecOf,
  isReady,
  jobRow,
  specOf,
  taskName,
  type DrainRow,
  type GroupRow,
  type JobRow,
  type TaskRow,
} from '../../src/core/tw/rows.ts'
import type { SimServer } from './server.ts'
import type { TwWorld } from './world.ts'

/** What is not as it should be when nothing has failed for a while; null: all is. */
export function unsettled(world: TwWorld): string | null {
  const { leader } = world
  if (leader === null) return 'nobody leads'
  return nodesWrong(world, leader) ?? processesWrong(world, leader) ?? groupsWrong(leader) ?? drainsWrong(world, leader)
}

/** Whoever is there is ready; whoever is gone is lost. */
function nodesWrong({ machines }: TwWorld, { db }: SimServer): string | null {
  for (const { name, isGone } of machines) {
    const state = db.get<{ state: string }>('SELECT state FROM tw_node WHERE name = ?', name)?.state
    if (isGone ? state === 'ready' : state !== 'ready') return `node ${name} is ${state} and ${isGone ? 'gone' : 'there'}`
  }
  return null
}

/** No process that the state does not want, none missing that it holds to be running. */
function processesWrong({ machines }: TwWorld, { db }: SimServer): string | null {
  for (const machine of machines) {
    if (machine.isGone) continue
    for (const process of machine.processes.values()) {
      const task = taskRow(db, process.task)
      const isWanted = task !== undefined && task.is_terminal === 0 && task.node === machine.name && task.want === 'run'
      if (!isWanted) return `orphan: ${machine.name} runs ${process.name} #${process.task}, which is ${task?.state ?? 'forgotten'}`
      if (task.incarnation !== process.incarnation)
        return `${process.name} runs as incarnation ${process.incarnation}, not ${task.incarnation}`
    }
    const rows = liveOnNode(db, machine.name)
    const missing = rows.find((task) => isReady(task) && ![...machine.processes.values()].some((process) => process.task === task.id))
    if (missing !== undefined) return `${taskName(missing)} #${missing.id} is held to run on ${machine.name} and has no process`
    const stopping = rows.find((task) => task.want === 'stop')
    if (stopping !== undefined) return `${taskName(stopping)} #${stopping.id} has not stopped on ${machine.name}`
  }
  return null
}

/** Every group has what its arms want, serving; or its explanation says why not. */
function groupsWrong(leader: SimServer): string | null {
  const { db } = leader
  for (const { name } of db.all<JobRow>('SELECT * FROM tw_job ORDER BY name')) {
    for (const group of db.all<GroupRow>('SELECT * FROM tw_group WHERE job = ? ORDER BY name', name)) {
      const problem = groupWrong(leader, name, group.name)
      if (problem !== null) return problem
    }
  }
  return null
}

function groupWrong(leader: SimServer, job: string, group: string): string | null {
  const { db } = leader
  const live = liveTasks(db, job, group)
  const arms = armRows(db, job, group)
  for (const arm of arms) {
    const own = live.filter((task) => task.version === arm.version)
    const done = db.all<TaskRow>(
      "SELECT * FROM tw_task WHERE job = ? AND grp = ? AND version = ? AND state = 'complete'",
      job,
      group,
      arm.version,
    )
    const late = own.find((task) => isOverdue(leader, task))
    if (late !== undefined) return `${taskName(late)} #${late.id} was never healthy, is past its deadline and still there`
    const isBatch = jobRow(db, job)?.kind.endsWith('batch') ?? false
    const there = own.filter(isReady).length + (isBatch ? done.length : 0)
    if (there === arm.count || (isBatch && there > arm.count) || isExplained(leader, job, group)) continue
    return `${job}/${group} has ${there} of ${arm.count} tasks of version ${arm.version}, and nothing explains it`
  }
  const left = live.filter((task) => !arms.some((arm) => arm.version === task.version && arm.count > 0))
  const [old] = left
  return old === undefined || isExplained(leader, job, group) ? null : `${taskName(old)} of version ${old.version} is still there`
}

/** It should have been ended for being late. Of one that is unknown nobody can say. */
function isOverdue(leader: SimServer, task: TaskRow): boolean {
  const spec = groupSpecOf(specOf(leader.db, task.job, task.version), task.grp)
  const isAsked =
    spec !== undefined && spec.container.readiness !== null && task.want === 'run' && task.state !== 'unknown' && task.was_healthy === 0
  return isAsked && leader.now() > task.placed_at + spec.healthyDeadlineMs
}

/** What a person would be told. */
function isExplained(leader: SimServer, job: string, group: string): boolean {
  const answer = explain.answer(leader.db, { target: `${job}/${group}` }, leader.context('user:sim'))
  if (isRefusal(answer)) return false
  return answer.blocked.length > 0 || answer.lines.length > 0
}

/** A drain ends. */
function drainsWrong(_world: TwWorld, { db }: SimServer): string | null {
  const open = db.all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL')
  for (const { node } of open) {
    if (tasksOnNode(db, node).length === 0) return `the drain of ${node} does not end`
  }
  return null
}
