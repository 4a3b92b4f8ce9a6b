import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { packageRoot } from '../../platform/spawn.ts'
import { planLocalFleet } from '../../server/processes/fleet.ts'
import { launchServer } from '../../server/processes/launch.ts'
import type { FleetStatus } from '../../server/api/status.ts'
import { tearDown } from '../../server/processes/teardown.ts'
import { formatDuration } from '../../core/kernel/units.ts'
import { packDirectory, uploadArtifact } from '../files/artifact.ts'
import type { DemoStep, DemoView } from './report.ts'
import { startTraffic, type Traffic } from './traffic.ts'
import type { DemoWorld } from './world.ts'

export const DEMO = { nodes: 6, regions: 2, tasks: 8, requestsPerSecond: 500, profile: 'demo', service: 'web' } as const

/** What the steps hand on to each other. */
export interface DemoState {
  world: DemoWorld
  view: DemoView
  traffic: Traffic | null
  fleet: FleetStatus | null
  /** the incident of the bad release */
  incident: number | null
}

export interface DemoAction {
  name: string
  title: string
  run: (state: DemoState, step: DemoStep) => Promise<void>
}

/** A claim that did not hold: ends the step as failed. */
export class ClaimError extends Error {}

function claim(holds: unknown, what: string): asserts holds {
  if (!holds) throw new ClaimError(what)
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers of operations, whose schemas the server has checked
type Data = any

const ask = async (state: DemoState, operation: string, input: unknown): Promise<Data> =>
  (await state.world.client.call<Data>(operation, input)).data

async function until<T>(what: string, ms: number, test: () => Promise<T | null | false | undefined>): Promise<T> {
  const deadline = Date.now() + ms
  for (;;) {
    const value = await test()
    if (value) return value
    claim(Date.now() < deadline, `${what} did not happen within ${formatDuration(ms)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const up: DemoAction = {
  name: 'up',
  title: `a fleet of ${DEMO.nodes} nodes in ${DEMO.regions} regions is healthy`,
  run: async (state, step) => {
    const { paths, client } = state.world
    state.fleet = await launchServer(paths, {
      fleet: planLocalFleet({ nodes: DEMO.nodes, regions: DEMO.regions, gatewayPort: null }),
      listen: null,
      readStatus: async () => (await client.get<FleetStatus>('/v1/status')).data,
    })
    const oncall = {
      version: 1,
      people: { you: { contacts: [{ channel: 'webhook', address: state.world.pagerUrl }] } },
      teams: { all: { primary: 'you' } },
      defaults: { team: 'all' },
    }
    await ask(state, 'sev.schedule.set', { document: oncall, file: 'demo' })
    step.facts = { nodes: state.fleet.nodes.length, gateway: state.fleet.nodes[0]?.gateway ?? '' }
    step.lines.push(`${state.fleet.nodes.length} nodes ready, gateway http://${step.facts['gateway']}, you are on call`)
  },
}

const run: DemoAction = {
  name: 'run',
  title: `version 1 runs with ${DEMO.tasks} tasks, served through the mesh`,
  run: async (state, step) => {
    const { digest } = await uploadArtifact(state.world.client, await packDirectory(state.world.release({ version: '1' })))
    const spec = parse(readFileSync(join(packageRoot(), 'templates', 'jobs', 'demo.yaml'), 'utf8')) as {
      groups: { api: { count: number; main: Record<string, unknown> } }
    }
    spec.groups.api.count = DEMO.tasks
    spec.groups.api.main['artifact'] = digest
    await ask(state, 'tw.job.run', { spec, reason: 'demo' })
    await until(`${DEMO.tasks} healthy tasks`, 30_000, async () => healthyTasks(state).then((tasks) => tasks.length === DEMO.tasks))
    const gateways = (state.fleet?.nodes ?? []).flatMap((node) => (node.gateway ? [node.gateway] : []))
    state.traffic = startTraffic(gateways, DEMO.service, DEMO.requestsPerSecond)
    const { traffic } = state
    await until('answers of every task', 15_000, async () => traffic.tasks.size >= DEMO.tasks)
    const regions = new Set((await healthyTasks(state)).map((task) => task.region))
    claim(regions.size === DEMO.regions, `tasks run in ${regions.size} regions, not ${DEMO.regions}`)
    claim(traffic.total.serverErrors + traffic.total.broken === 0, `${traffic.total.serverErrors + traffic.total.broken} requests failed`)
    step.facts = { tasks: traffic.tasks.size, regions: regions.size, requestsPerSecond: DEMO.requestsPerSecond }
    step.lines.push(`${traffic.tasks.size} tasks in ${regions.size} regions answer ${DEMO.requestsPerSecond} requests/s`)
  },
}

async function healthyTasks(state: DemoState): Promise<{ task: string; region: string; version: number; id: number }[]> {
  const { tasks } = await ask(state, 'tw.ps', { job: DEMO.service })
  return tasks.filter((task: Data) => task.state === 'running' && task.health === 'healthy')
}

/** Starts a rollout and follows it to its end; gives its last view and when its share was last above zero. */
async function rollout(
  state: DemoState,
  about: { version: string; failRate?: number },
): Promise<{ view: Data; homeAt: number; topShare: number }> {
  const { digest } = await uploadArtifact(state.world.client, await packDirectory(state.world.release(about)))
  const started = await ask(state, 'deploy.start', {
    service: DEMO.service,
    source: { artifact: digest, label: `release-${about.version}` },
    profile: DEMO.profile,
    sticky: 'header:x-user',
    reason: `version ${about.version}`,
  })
  let topShare = 0
  let homeAt = 0
  const view = await until(`the end of rollout ${started.rollout}`, 120_000, async () => {
    const now = await ask(state, 'deploy.watch', { rollout: started.rollout })
    const { rollout: it } = now
    topShare = Math.max(topShare, it.sharePpm)
    if (topShare > 0 && it.sharePpm === 0 && homeAt === 0) homeAt = Date.now()
    Object.assign(state.view, { share: it.sharePpm, word: `${it.state}${now.verdict ? `, ${now.verdict}` : ''}`, version: about.version })
    return it.endedAtMs === null ? null : now
  })
  return { view, homeAt, topShare }
}

const good: DemoAction = {
  name: 'deploy-good',
  title: 'version 2 is good: it reaches 100 %, no request fails',
  run: async (state, step) => {
    const before = state.traffic?.mark()
    const { view, topShare } = await rollout(state, { version: '2' })
    claim(view.rollout.state === 'succeeded', `the rollout ended as ${view.rollout.state}: ${view.verdictReason ?? ''}`)
    const failed = (before?.serverErrors ?? 0) + (before?.broken ?? 0)
    claim(failed === 0, `${failed} requests failed meanwhile`)
    step.facts = { state: view.rollout.state, topSharePpm: topShare, requests: before?.sent ?? 0, failed }
    step.lines.push(`5 % → 25 % → 100 %, ${before?.sent} requests, none failed`)
  },
}

const ROLLBACK_MS_MAX = 15_000

const bad: DemoAction = {
  name: 'deploy-bad',
  title: 'version 3 fails 5 %: caught at the canary, rolled back by itself',
  run: async (state, step) => {
    const { view, homeAt, topShare } = await rollout(state, { version: '3', failRate: 0.05 })
    const firstBad = state.traffic?.firstErrorAt.get('3')
    claim(view.rollout.state === 'rolled-back', `the rollout ended as ${view.rollout.state}`)
    claim(firstBad !== undefined, 'no request of version 3 failed')
    const tookMs = homeAt - firstBad
    claim(topShare <= 50_000, `it reached ${topShare / 10_000} %`)
    claim(tookMs <= ROLLBACK_MS_MAX, `it was rolled back ${formatDuration(tookMs)} after its first bad request`)
    const seen = state.traffic?.total.serverErrors ?? 0
    step.facts = { state: view.rollout.state, topSharePpm: topShare, rolledBackAfterMs: tookMs, usersWhoSawAnError: seen }
    step.lines.push(
      `rolled back ${formatDuration(tookMs)} after its first bad request, at ${topShare / 10_000} %; ${seen} users saw an error`,
    )
    if (view.verdictReason) step.lines.push(view.verdictReason)
  },
}

const respond: DemoAction = {
  name: 'respond',
  title: 'a SEV is opened, you are paged, a postmortem is drafted',
  run: async (state, step) => {
    const incident = await until('an incident', 10_000, async () => {
      const { incidents } = await ask(state, 'sev.incident.list', { isAll: true, service: DEMO.service })
      return incidents[0]
    })
    state.incident = incident.number
    await until('the page', 15_000, async () => state.world.pages.length > 0)
    await ask(state, 'sev.incident.ack', { incident: incident.number })
    await ask(state, 'sev.incident.resolve', { incident: incident.number, cause: 'version 3 fails 5 % of its requests' })
    const { rows } = await ask(state, 'sev.timeline', { incident: incident.number })
    claim(rows.length >= 4, `the timeline has only ${rows.length} rows`)
    const draft = await ask(state, 'sev.postmortem.draft', { incident: incident.number })
    const text: string = draft.markdown
    claim(text.includes('imeline'), 'the draft has no timeline')
    step.facts = {
      incident: incident.number,
      level: incident.level,
      pages: state.world.pages.length,
      timelineRows: rows.length,
      postmortemBytes: text.length,
    }
    step.lines.push(`SEV${incident.level} #${incident.number} opened, paged over the webhook, acknowledged, resolved`)
    step.lines.push(`${rows.length} rows in the timeline, a postmortem draft of ${text.split('\n').length} lines`)
  },
}

const kill: DemoAction = {
  name: 'kill',
  title: 'tasks killed under load are replaced, no request fails',
  run: async (state, step) => {
    const experiment = parse(readFileSync(join(packageRoot(), 'templates', 'experiments', 'demo.yaml'), 'utf8')) as unknown
    const before = state.traffic?.mark()
    const ids = new Map((await ask(state, 'tw.ps', { job: DEMO.service })).tasks.map((task: Data) => [task.task, task.pid]))
    const started = await ask(state, 'chaos.run.start', { experiment })
    const closed = await until('the end of the run', 60_000, async () => {
      const now = await ask(state, 'chaos.run.get', { run: started.run })
      return now.state === 'closed' ? now : null
    })
    await until(`${DEMO.tasks} healthy tasks`, 30_000, async () => healthyTasks(state).then((tasks) => tasks.length === DEMO.tasks))
    const replaced = (await ask(state, 'tw.ps', { job: DEMO.service })).tasks.filter((task: Data) => ids.get(task.task) !== task.pid).length
    const failed = (before?.serverErrors ?? 0) + (before?.broken ?? 0)
    claim(replaced > 0, 'no task was killed')
    claim(failed === 0, `${failed} requests failed`)
    claim(closed.verdict === 'held', `the verdict is ${closed.verdict}: ${closed.reason ?? ''}`)
    step.facts = { killed: replaced, requests: before?.sent ?? 0, failed, cutOff: before?.cutOff ?? 0, verdict: closed.verdict }
    step.lines.push(`${replaced} tasks killed and replaced, ${before?.sent} requests meanwhile, none failed; verdict: ${closed.verdict}`)
  },
}

const down: DemoAction = {
  name: 'down',
  title: 'everything is shut down, nothing is left behind',
  run: async (state, step) => {
    await state.traffic?.stop()
    await tearDown(state.world.paths)
    const left = await state.world.remove()
    claim(left.length === 0, `still running: ${left.join('; ')}`)
    step.facts = { left: left.length }
    step.lines.push('no process, no file left')
  },
}

export const DEMO_ACTIONS: readonly DemoAction[] = [up, run, good, bad, respond, kill, down]
