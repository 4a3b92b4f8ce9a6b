import { formatSize } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { count } from './text.ts'
import { nextText, renderChanges, type DocumentChange } from './tw-jobs.ts'
import { cpuText } from './tw-words.ts'

export interface JobPlan {
  job: string
  isNew: boolean
  owner: string | null
  changes: readonly DocumentChange[]
  groups: readonly GroupPlan[]
  nextMs: readonly number[]
  free: Free
}

interface GroupPlan {
  group: string
  action: string
  count: number
  running: number
  places: readonly Place[]
  unplaced: number
  why: string | null
  waits: readonly string[]
  preempts: readonly { task: string; node: string; for: string }[]
  stops: { now: readonly Place[]; later: number; waitsFor: string | null }
  warnings: readonly string[]
  ofNode: string | null
}

interface Place {
  task: string
  node: string
}

interface Free {
  cpuMilli: number
  memoryBytes: number
  gpuMilli: number
}

/** What a run would do, before the entries it would log: differences, places, what does not fit. */
export function renderJobPlan(view: View, plan: JobPlan): string {
  const lines = [plan.isNew ? `The job ${plan.job} is new.` : renderChanges(view, plan.changes)]
  if (plan.owner !== null) lines.push(mark(view, 'warn', `owned by ${plan.owner}: the run will be refused without --take-over`))
  for (const group of plan.groups) lines.push('', ...groupLines(view, group.group, group))
  if (plan.nextMs.length > 0) lines.push('', nextText(plan.nextMs))
  return [...lines, '', freeText(plan.free)].join('\n')
}

export interface ChangePlan {
  job: string
  isChanged: boolean
  groups: readonly (GroupPlan & { job: string })[]
  services: readonly string[]
  free: Free
}

/** What another number of tasks would do, or none. */
export function renderChangePlan(view: View, plan: ChangePlan): string {
  const parts = plan.groups.map((group) => groupLines(view, `${group.job}/${group.group}`, group).join('\n'))
  if (plan.services.length > 0)
    parts.push(
      mark(view, 'warn', `nothing answers ${plan.services.length === 1 ? 'the service' : 'the services'} ${plan.services.join(', ')} then`),
    )
  if (parts.length === 0) parts.push(`${plan.job} has no task that would end.`)
  return [...parts, freeText(plan.free)].join('\n\n')
}

function groupLines(view: View, name: string, group: GroupPlan): string[] {
  const running = group.running > 0 ? `, ${group.running} run now` : ''
  const lines = [`${name}: ${group.action}, ${count(group.count, 'task')}${running}`]
  for (const warning of group.warnings) lines.push(`  ${mark(view, 'warn', warning)}`)
  if (group.places.length > 0) lines.push(`  ${count(group.places.length, 'task')} would start:`, ...placeLines(view, group.places))
  if (group.unplaced > 0) lines.push(`  ${mark(view, 'warn', `${group.unplaced} without a place now`)}. ${group.why ?? ''}`)
  if (group.ofNode !== null) lines.push(`  ${group.ofNode}`)
  for (const wait of group.waits) lines.push(`  ${wait}`)
  for (const it of group.preempts) lines.push(`  ${mark(view, 'warn', `${it.task} on ${it.node} is asked to make room for ${it.for}`)}`)
  const { now, later, waitsFor } = group.stops
  if (now.length > 0) lines.push(`  ${count(now.length, 'task')} would end at once:`, ...placeLines(view, now))
  if (later > 0)
    lines.push(
      `  ${count(later, 'task')} ${now.length > 0 ? 'more ' : ''}would end one after another; first they wait for ${waitsFor ?? ''}`,
    )
  return lines
}

function freeText(free: Free): string {
  const gpus = free.gpuMilli > 0 ? `, ${free.gpuMilli / 1000} GPU` : ''
  return `free beside what starts: ${cpuText(free.cpuMilli)} cpu, ${formatSize(free.memoryBytes)} memory${gpus}`
}

/** Nodes listed of a plan on a terminal. */
const NODES_MAX = 20

/** A line for each node with the tasks it would get: `n1  web/api[0] web/api[3]`; on a terminal those of a large fleet are counted. */
function placeLines(view: View, places: readonly Place[]): string[] {
  const byNode = [...Map.groupBy(places, ({ node }) => node)].sort(([a], [b]) => a.localeCompare(b))
  const shown = view.width === null || view.isWide ? byNode : byNode.slice(0, NODES_MAX)
  const lines = shown.map(([node, own]) => {
    const line = `    ${node}  ${own.map(({ task }) => task).join(' ')}`
    return view.width === null || view.isWide || line.length <= view.width ? line : `    ${node}  ${count(own.length, 'task')}`
  })
  const rest = byNode.slice(shown.length)
  if (rest.length === 0) return lines
  const tasks = rest.reduce((sum, [, own]) => sum + own.length, 0)
  return [...lines, `    … and ${count(tasks, 'task')} on ${count(rest.length, 'more node')} (-o wide names them)`]
}
