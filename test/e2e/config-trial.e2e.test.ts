import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient, type Client } from '../../src/cli/client.ts'
import { startTraffic, type Traffic } from '../../src/cli/demo/traffic.ts'
import { packDirectory, uploadArtifact } from '../../src/cli/files/artifact.ts'
import { userBucket } from '../../src/core/kernel/hash.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { eventually } from '../support/eventually.ts'

const TASKS = 6
const NAME = 'web/limits'

/** Answers as its configuration says, which it reads again and again as the task it is. */
const SERVER = `
import { createServer, request } from 'node:http'
const path = '/v1/delos/config/get?name=${NAME}&reader=' + encodeURIComponent(process.env.MUSTER_TASK)
let config = { version: 0, failRate: 0 }
function read() {
  const again = () => setTimeout(read, 300)
  const asked = request({ socketPath: process.env.CONFIG_SOCKET, path }, (response) => {
    let text = ''
    response.on('data', (chunk) => (text += chunk))
    response.on('end', () => {
      const { data } = JSON.parse(text)
      if (data !== undefined) config = { version: data.version, ...JSON.parse(data.body) }
      again()
    })
  })
  asked.on('error', again)
  asked.end()
}
read()
const server = createServer((request, response) => {
  const { version, failRate } = config
  response.writeHead(request.url === '/' && Math.random() < failRate ? 500 : 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ version: version + ' of ' + process.env.MUSTER_TASK, task: process.env.MUSTER_TASK }))
})
server.keepAliveTimeout = 65_000
server.listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
`

let fleet: TestFleet
let client: Client
let traffic: Traffic | undefined

beforeAll(async () => {
  fleet = newFleet()
  await fleet.data('up', '--nodes', '2', '--regions', '1')
  client = createClient({ socketPath: join(fleet.root, 'muster.sock'), isTls: false, token: null }, 'user:test')
  const release = join(fleet.home, 'dist')
  mkdirSync(release)
  writeFileSync(join(release, 'server.mjs'), SERVER)
  const { digest } = await uploadArtifact(client, await packDirectory(release))
  const job = join(fleet.home, 'web.yaml')
  writeFileSync(
    job,
    `job: web
groups:
  api:
    count: ${TASKS}
    network: { ports: { http: {} } }
    services: { web: { port: http } }
    main:
      command: [node, server.mjs]
      artifact: ${digest}
      env: { PORT: "{{port.http}}", CONFIG_SOCKET: "${join(fleet.root, 'muster.sock')}" }
      resources: { cpu: 20m, memory: 48MiB, memory_max: 256MiB }
      health: { readiness: { http: /ready, port: http, interval: 1s } }
`,
  )
  await set({ failRate: 0, note: 'first' })
  await fleet.data('tw', 'job', 'run', job)
  await eventually('every task to read it', 60_000, async () => (await readers()).versions[0]?.readers === TASKS)
  const gateways = (await fleet.data('status')).nodes.map(({ gateway }: { gateway: string }) => gateway)
  traffic = startTraffic(gateways, 'web', 120)
  await eventually('an answer of every task', 60_000, () => answered(1).length === TASKS)
}, 180_000)

afterAll(async () => {
  await traffic?.stop()
  await fleet.end()
}, 120_000)

function set(body: object, ...more: string[]): Promise<unknown> {
  const file = join(fleet.home, 'limits.json')
  writeFileSync(file, JSON.stringify(body))
  return fleet.data('delos', 'config', 'set', NAME, '-f', file, '--yes', ...more)
}

// oxlint-disable-next-line typescript/no-explicit-any -- the answer of `delos config readers`
const readers = async (): Promise<any> => (await fleet.data('delos', 'config', 'readers', NAME)).configs[0]

// oxlint-disable-next-line typescript/no-explicit-any -- the answer of `delos config history`
const newest = async (): Promise<any> => (await client.call<any>('delos.config.history', { name: NAME })).data.versions[0]

/** Tasks that answered by a version of the configuration, by name. */
function answered(version: number): string[] {
  const of = [...(traffic?.byVersion.keys() ?? [])].flatMap((key) =>
    key.startsWith(`${version} of `) ? [key.slice(`${version} of `.length)] : [],
  )
  return of.toSorted()
}

/** A share by which just two of the tasks have a version, and which ones. */
function shareOfTwo(version: number): { share: string; tasks: string[] } {
  const buckets = Array.from({ length: TASKS }, (_, i) => `web/api[${i}]`)
    .map((task) => ({ task, bucket: userBucket(task, `${NAME}@${version}`) }))
    .toSorted((a, b) => a.bucket - b.bucket)
  return {
    share: `${((buckets[1]?.bucket ?? 0) + 1) / 10_000}%`,
    tasks: buckets
      .slice(0, 2)
      .map(({ task }) => task)
      .toSorted(),
  }
}

test('a configuration that makes half of the requests fail is rolled back by itself, and only its share was hit', async () => {
  const { share, tasks } = shareOfTwo(2)
  const startedAt = Date.now()
  await set({ failRate: 0.5 }, '--canary', share, '--canary-for', '5m')
  const ended = await eventually('the end of the trial', 60_000, async () => ((await newest()).state === 'proposed' ? null : newest()))
  console.log(`rolled back ${Date.now() - startedAt} ms after the command: ${ended.reason}`)
  expect(ended).toMatchObject({ version: 2, state: 'rolled-back', verdict: 'fail' })
  expect(ended.reason).toMatch(/^web: \d+ of \d+ canary requests failed/)
  expect(ended.decidedAt - ended.at, 'seconds, not minutes').toBeLessThan(30_000)
  expect(answered(2)).toEqual(tasks)
  expect(
    [...(traffic?.firstErrorAt.keys() ?? [])].every((key) => key.startsWith('2 of ')),
    'errors are of that version alone',
  ).toBe(true)
  await eventually('every task has the first one again', 20_000, async () => {
    const { versions } = await readers()
    return versions.length === 1 && versions[0].version === 1 && versions[0].readers === TASKS
  })
  const table = (await fleet.muster('delos', 'config', 'history', NAME)).stdout
  expect(table).toMatch(/2 +rolled-back .* fail +web: \d+ of/)
  const events = await client.call<{ entries: { type: string; actor: string }[] }>('delos.log.ls', {
    limit: 1000,
    type: 'delos.ConfigCanaryJudged',
  })
  expect(events.data.entries.map(({ actor }) => actor)).toEqual(['controller:delos.canary'])
}, 120_000)

test('a good one is activated by itself when its time is over, also when the server is killed in between', async () => {
  const { share, tasks } = shareOfTwo(3)
  // The mesh leaves out for a while who failed so often.
  const before = new Map(traffic?.byVersion)
  const since = () => [...(traffic?.byVersion ?? [])].filter(([key, count]) => key.startsWith('1 of ') && count > (before.get(key) ?? 0))
  await eventually('an answer of every task since', 120_000, () => since().length === TASKS)
  await set({ failRate: 0, note: 'better' }, '--canary', share, '--canary-for', '40s', '--good-below', '2%')
  await eventually('its share has it', 20_000, () => answered(3).length === 2)
  expect(answered(3)).toEqual(tasks)
  process.kill(fleet.serverPid() as number, 'SIGKILL')
  expect((await fleet.muster('up', '--json')).exitCode).toBe(0)
  await eventually('what is seen of it', 30_000, async () => /^web: 0 of [1-9]/.test((await readers()).trial?.text ?? ''))
  expect(await newest()).toMatchObject({ version: 3, state: 'proposed' })
  const ended = await eventually('the end of the trial', 90_000, async () => ((await newest()).state === 'proposed' ? null : newest()))
  console.log(ended.reason)
  expect(ended).toMatchObject({ version: 3, state: 'active', verdict: 'pass' })
  expect(ended.decidedAt - ended.at).toBeGreaterThanOrEqual(40_000)
  await eventually('every task has it', 20_000, () => answered(3).length === TASKS)
}, 240_000)
