import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { BIN, newFleet, type TestFleet } from '../../support/fleet.ts'

let fleet: TestFleet

beforeAll(async () => {
  fleet = newFleet()
  await fleet.data('up', '--nodes', '1')
}, 120_000)

afterAll(async () => {
  await fleet.end()
}, 120_000)

interface Event {
  position: number
  type: string
}
const eventsOf = (text: string): Event[] =>
  text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Event)

test('followed events go on over a server that is killed, with nothing lost and nothing twice', async () => {
  const child = spawn(process.execPath, [BIN, 'tw', 'events', '--from', '1', '--follow', '--json'], {
    env: fleet.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  try {
    writeFileSync(
      join(fleet.home, 'job.yaml'),
      'job: web\ngroups:\n  api:\n    count: 2\n    main: {command: ["sleep", "1000"], resources: {cpu: 50m, memory: 16MiB}}\n',
    )
    await fleet.data('tw', 'job', 'run', 'job.yaml', '--wait')
    await eventually('the placement', 20_000, () => text.includes('tw.TasksPlaced'))
    process.kill(fleet.serverPid() ?? 0, 'SIGKILL')
    await fleet.data('up')
    await fleet.data('tw', 'job', 'stop', 'web', '--yes')
    await eventually('the end of the job', 20_000, () => text.includes('tw.JobStopped'))
    const seen = eventsOf(text).map(({ position }) => position)
    const whole = eventsOf((await fleet.muster('tw', 'events', '--from', '1', '--json')).stdout).map(({ position }) => position)
    expect(seen).toEqual(whole.slice(0, seen.length))
  } finally {
    child.kill('SIGKILL')
  }
}, 120_000)

test('events are asked for by job, node, type and number, and it is said where to go on', async () => {
  const first = await fleet.muster('tw', 'events', '--from', '1', '--job', 'web', '--type', 'Tasks', '--limit', '2', '--json')
  const events = eventsOf(first.stdout)
  expect(events.map(({ type }) => type)).toEqual(['tw.TasksPlaced', 'tw.TasksReported'])
  const next = /--from (\d+)/.exec(first.stderr)?.[1] ?? ''
  expect(Number(next)).toBe((events[1]?.position ?? 0) + 1)
  const rest = eventsOf((await fleet.muster('tw', 'events', '--from', next, '--job', 'web', '--json')).stdout)
  expect(rest.every(({ position }) => position >= Number(next))).toBe(true)
  expect(rest.map(({ type }) => type)).toContain('tw.JobStopped')
  expect(eventsOf((await fleet.muster('tw', 'events', '--from', '1', '--node', 'nowhere', '--json')).stdout)).toEqual([])
})

test('without a position the last ones are printed that match', async () => {
  const all = eventsOf((await fleet.muster('tw', 'events', '--from', '1', '--json')).stdout)
  const last = await fleet.muster('tw', 'events', '--limit', '2', '--json')
  expect(eventsOf(last.stdout)).toEqual(all.slice(-2))
  const joined = eventsOf((await fleet.muster('tw', 'events', '--type', 'NodeJoined', '--limit', '1', '--json')).stdout)
  expect(joined.map(({ type }) => type)).toEqual(['tw.NodeJoined'])
})

test('no secret is in any event: neither keys nor tokens to join with', async () => {
  const { token } = (await fleet.data('tw', 'node', 'token')) as { token: string }
  const keys = join(fleet.root, 'keys')
  const files = readdirSync(keys, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const texts = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8').trim())
  const ofPem = (text: string): string[] => [...text.matchAll(/PRIVATE KEY-----\n(\S+)/g)].flatMap(([, line]) => line ?? [])
  const secrets = [...texts.flatMap((text) => (text.startsWith('-----') ? ofPem(text) : [text])), ...token.split('.')].filter(
    (text) => text.length >= 20,
  )
  expect(secrets.length).toBeGreaterThan(1)
  const said =
    (await fleet.muster('delos', 'log', 'ls', '--from', '1', '--json')).stdout +
    (await fleet.muster('tw', 'events', '--from', '1', '--json')).stdout
  expect(said).toContain('tw.NodeTokenIssued')
  for (const secret of secrets) expect(said.includes(secret)).toBe(false)
  expect(said).not.toContain('PRIVATE KEY')
})
