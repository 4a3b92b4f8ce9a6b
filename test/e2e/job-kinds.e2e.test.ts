import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { eventually } from '../support/eventually.ts'

/** Every kind of job on a real fleet of three nodes, as it is typed. */
let fleet: TestFleet

beforeAll(async () => {
  fleet = newFleet()
  await fleet.data('up', '--nodes', '3', '--regions', '1')
}, 120_000)

afterAll(async () => {
  await fleet.end()
}, 120_000)

const write = (document: unknown): string => {
  writeFileSync(join(fleet.home, 'job.yaml'), JSON.stringify(document))
  return 'job.yaml'
}
const sleep = { command: ['sleep', '1000'], resources: { cpu: '10m', memory: '8MiB' } }
const shell = (text: string) => ({ command: ['/bin/sh', '-c', text], resources: { cpu: '10m', memory: '8MiB' } })
// oxlint-disable-next-line typescript/no-explicit-any -- the answer of `tw ps`
const ps = async (job: string): Promise<any[]> => (await fleet.data('tw', 'ps', job, '--all')).tasks
const running = async (job: string): Promise<string[]> =>
  (await ps(job))
    .filter((task) => task.state === 'running' && task.want === 'run')
    .map((task) => `${task.node} v${task.version}`)
    .sort()
const runs = async (job: string): Promise<string[]> =>
  // oxlint-disable-next-line typescript/no-explicit-any -- the answer of `tw job show`
  (await fleet.data('tw', 'job', 'show', job)).recurring.runs.map((run: any) => `${run.run} ${run.cause} ${run.outcome}`)

test('a system job has a task on each node, and a plan says so before', async () => {
  const file = write({ job: 'agent', kind: 'system', groups: { a: { availability: { min_healthy_time: '0s' }, main: sleep } } })
  const plan = await fleet.muster('tw', 'job', 'run', file, '--plan')
  expect(plan.stdout).toContain('a: start, 3 tasks')
  expect((await fleet.muster('tw', 'job', 'run', file, '--wait', '--timeout', '30s')).exitCode).toBe(0)
  expect(await running('agent')).toEqual(['n1 v1', 'n2 v1', 'n3 v1'])
})

test('a plan names the nodes, and is refused with 5 when one of them was closed meanwhile', async () => {
  const file = write({ job: 'planned', groups: { g: { count: 3, availability: { min_healthy_time: '0s' }, main: sleep } } })
  const plan = async (): Promise<string> => (await fleet.data('tw', 'job', 'run', file, '--plan')).id
  const stale = await plan()
  await fleet.data('tw', 'node', 'cordon', 'n2')
  const refused = await fleet.muster('tw', 'job', 'run', file, '--apply', stale, '--json')
  expect([refused.exitCode, refused.json.error.code]).toEqual([5, 'PLAN_STALE'])
  expect((await fleet.muster('tw', 'job', 'show', 'planned')).exitCode).toBe(3)
  const again = await plan()
  expect((await fleet.muster('tw', 'job', 'run', file, '--apply', again)).exitCode).toBe(0)
  expect([...new Set((await ps('planned')).map((task) => task.node))].sort()).toEqual(['n1', 'n3'])
  await fleet.data('tw', 'node', 'uncordon', 'n2')
})

test('groups start after what they wait for', async () => {
  const groups = {
    migrate: { main: shell('sleep 1; echo migrated') },
    api: { after: { migrate: 'completed' }, main: sleep },
  }
  const run = await fleet.muster('tw', 'job', 'run', write({ job: 'shop', groups }), '--wait', '--timeout', '30s')
  expect(run.exitCode, run.stderr).toBe(0)
  const [migrate, api] = ['migrate', 'api'].map(async (group) => (await ps('shop')).find((task) => task.group === group))
  expect((await api)?.startedAtMs).toBeGreaterThanOrEqual((await migrate)?.endedAtMs)
})

test('a dispatched run has what it was given, and its token gives it once', async () => {
  const main = shell('echo "$MUSTER_META_who got $MUSTER_PAYLOAD"')
  const parameters = { required: ['who'], payload: 'optional' }
  await fleet.data('tw', 'job', 'run', write({ job: 'greet', kind: 'batch', parameters, groups: { g: { main } } }))
  expect((await fleet.muster('tw', 'job', 'dispatch', 'greet')).exitCode).toBe(2)
  writeFileSync(join(fleet.home, 'payload'), 'flowers')
  const dispatch = (): Promise<{ run: string; isNew: boolean }> =>
    fleet.data('tw', 'job', 'dispatch', 'greet', '--meta', 'who=anna', '--payload', 'payload', '--token', 't')
  expect([(await dispatch()).run, (await dispatch()).isNew]).toEqual(['greet.1', false])
  await eventually('the end of the run', 30_000, async () => (await runs('greet'))[0] === 'greet.1 dispatch complete')
  expect((await fleet.muster('tw', 'logs', 'greet.1')).stdout).toContain('anna got flowers')
})

test('a periodic job is shown with its next times, runs by force, and stops at a pause', async () => {
  const periodic = { cron: '0 3 * * *', zone: 'Europe/Berlin' }
  await fleet.data('tw', 'job', 'run', write({ job: 'backup', kind: 'batch', periodic, groups: { b: { main: shell('true') } } }))
  const shown = await eventually('its next times', 10_000, async () => {
    const { recurring } = await fleet.data('tw', 'job', 'show', 'backup')
    return recurring.nextMs.length === 5 ? recurring : null
  })
  const hour = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit' })
  expect(shown.nextMs.map((at: number) => hour.format(at))).toEqual(Array(5).fill('03:00'))
  expect((await fleet.muster('tw', 'job', 'force-periodic', 'backup')).stdout).toContain('backup.1 is started')
  await eventually('the end of the run', 30_000, async () => (await runs('backup'))[0] === 'backup.1 operator complete')
  await fleet.data('tw', 'job', 'pause', 'backup')
  expect((await fleet.muster('tw', 'job', 'force-periodic', 'backup')).exitCode).toBe(5)
})

test('an update is paused, promoted to its end, and reverted', async () => {
  const web = (version: string): string =>
    write({
      job: 'web',
      groups: {
        api: {
          count: 3,
          availability: { max_unavailable: 0, max_surge: 1, min_healthy_time: '1s' },
          update: { canary: 1 },
          main: { ...sleep, env: { V: version } },
        },
      },
    })
  await fleet.data('tw', 'job', 'run', web('1'), '--wait')
  await fleet.data('tw', 'job', 'run', web('2'))
  await eventually(
    'a canary to be promoted',
    20_000,
    async () => (await fleet.data('tw', 'update', 'ls', 'web'))[0]?.waitsFor === 'to be promoted',
  )
  expect((await running('web')).filter((task) => task.endsWith('v1')).length).toBe(3)
  await fleet.data('tw', 'update', 'pause', 'web')
  expect((await fleet.muster('tw', 'update', 'show', 'web')).stdout).toContain('paused')
  await fleet.data('tw', 'update', 'promote', 'web')
  await eventually('the end of the update', 30_000, async () => (await fleet.data('tw', 'update', 'ls', 'web'))[0].state === 'done')
  expect((await running('web')).every((task) => task.endsWith('v2'))).toBe(true)
  await fleet.data('tw', 'job', 'revert', 'web', '--to', '1')
  expect((await fleet.muster('tw', 'job', 'history', 'web', '--diff')).stdout).toContain('groups.api.main.env.V')
})

test('one command is run as a job, and a purge asks for its name and leaves nothing', async () => {
  expect((await fleet.muster('tw', 'exec-run', '--name', 'hello', '--', 'echo', 'hello there')).exitCode).toBe(0)
  await eventually('its output', 20_000, async () => (await fleet.muster('tw', 'logs', 'hello')).stdout.includes('hello there'))
  await fleet.data('tw', 'job', 'stop', 'hello', '--yes')
  expect((await fleet.muster('tw', 'job', 'purge', 'hello', '--confirm', 'web')).exitCode).not.toBe(0)
  await eventually(
    'the purge',
    20_000,
    async () => (await fleet.muster('tw', 'job', 'purge', 'hello', '--confirm', 'hello')).exitCode === 0,
  )
  expect((await fleet.muster('tw', 'job', 'show', 'hello')).exitCode).toBe(3)
})
