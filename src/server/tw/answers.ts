import { pendingGroups } from '../../core/tw/views/group-counts.ts'
import type { ZoneTable } from '../../core/kernel/zone.ts'
import { jobSpecOf } from '../../core/tw/job-spec.ts'
import { dueTimes } from '../../core/tw/runs/due.ts'
import type { FleetCache } from '../../core/tw/controllers/fleet-cache.ts'
import { SUSPECT_MS, type FleetSummary, type NodeView, type TaskView } from '../../core/tw/queries.ts'
import type { ServerHost, Wiring } from '../host.ts'
import type { AgentHub } from './agents.ts'

const REASONS_MAX = 20

interface PsInput {
  job?: string | undefined
  node?: string | undefined
  region?: string | undefined
  service?: string | undefined
  state?: string | undefined
  labels?: unknown
  after?: string | undefined
}
type PsAnswer = { tasks: TaskView[]; blocked: Record<string, { count: number; code: string; why: string }> }

/** What the server knows beside the state, added to answers from it: beats, what tasks use, why the controllers found no place. */
export function softAnswers(
  host: ServerHost,
  hub: AgentHub,
  cache: FleetCache,
  zoneOf: (zone: string) => ZoneTable | null,
): NonNullable<Wiring['answered']> {
  const addBeat = (node: NodeView): void => {
    const beat = hub.beats.get(node.node)
    if (beat === undefined) return
    node.silentMs = Math.floor(beat.ageMs)
    node.relay = beat.via
    if (node.state === 'ready' && node.silentMs >= SUSPECT_MS) node.state = 'suspect'
  }
  const addUse = (task: TaskView): void => {
    const use = hub.usage(task.node, task.id)
    if (use === undefined || task.state !== 'running') return
    task.cpuUsedMilli = use.cpuMilli ?? null
    task.memoryUsedBytes = use.memoryBytes ?? null
  }
  return {
    'tw.node.list': (_input, nodes: NodeView[]) => nodes.forEach(addBeat),
    'tw.node.show': (_input, { node, tasks }: { node: NodeView; tasks: TaskView[] }) => {
      addBeat(node)
      tasks.forEach(addUse)
    },
    'tw.job.plan': ({ spec: document }: { spec: unknown }, plan: { nextMs: number[] }) => {
      const job = jobSpecOf(document)
      const periodic = job.ok ? job.spec.periodic : null
      const zone = periodic === null ? null : zoneOf(periodic.zone)
      if (periodic !== null && zone !== null) plan.nextMs = dueTimes(periodic, zone, host.now())
    },
    'tw.task.show': (_input, { task }: { task: TaskView }) => addUse(task),
    'tw.ps': (input: PsInput, { tasks, blocked }: PsAnswer) => {
      tasks.forEach(addUse)
      const { node, region, service, state, labels, after } = input
      if ([node, region, service, state, labels, after].some((part) => part !== undefined)) return
      for (const key of pendingGroups(host.db, input.job?.split('/')[0]).slice(0, REASONS_MAX)) {
        const [reason] = cache.reasonsOf(key)
        if (reason) blocked[`${key.job}/${key.group}`] ??= reason
      }
    },
    'tw.fleet.summary': (_input, summary: FleetSummary) => {
      summary.pending = summary.pending.flatMap((it) => {
        const [job = '', group = ''] = it.group.split('/')
        const reasons = it.code === null ? cache.reasonsOf({ job, group }) : []
        return reasons.length === 0 ? [it] : reasons.map((reason) => ({ group: it.group, ...reason }))
      })
    },
  }
}
