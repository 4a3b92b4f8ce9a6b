import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BIN, newFleet, type TestFleet } from '../../support/fleet.ts'
import { eventually } from '../../support/eventually.ts'

/** tw's commands as they are typed, on a real fleet of two nodes. */
let fleet: TestFleet
const file = (name: string): string => join(fleet.home, name)

beforeAll(async () => {
  fleet = newFleet()
  await fleet.data('up', '--nodes', '2', '--regions', '2')
}, 120_000)

afterAll(async () => {
  await fleet.end()
}, 120_000)

test('the starter that init prints is valid, runs until healthy, and running it again changes nothing', async () => {
  const init = await fleet.muster('tw', 'init')
  // As it is, but for the time that makes a rollout slow.
  writeFileSync(file('job.yaml'), init.stdout.replace('min_healthy_time: 5s', 'min_healthy_time: 0s'))
  expect((await fleet.muster('tw', 'validate', 'job.yaml')).stdout).toContain('service web, 1 group, 4 tasks')
  const run = await fleet.muster('tw', 'job', 'run', 'job.yaml', '--wait', '--timeout', '30s', '--json')
  expect(run.json).toMatchObject({ schema: 'muster.tw.job.run/1', ok: true, data: { job: 'web', version: 1, isChanged: true } })
  expect((await fleet.data('tw', 'job', 'run', 'job.yaml')).isChanged).toBe(false)
  const ps = await fleet.muster('tw', 'ps', 'web')
  expect(ps.stdout.split('\n').filter((line) => line.includes('● running')).length).toBe(4)
  expect((await fleet.muster('tw', 'ps', '--node', 'n1', '-o', 'name')).stdout.split('\n').length).toBe(2)
})

test('exec keeps the exit code and has the environment of the task; logs come from every task', async () => {
  const exec = await fleet.muster('tw', 'task', 'exec', 'web/api[0]', '--', 'sh', '-c', 'echo $MUSTER_TASK; exit 7')
  expect(exec).toMatchObject({ exitCode: 7, stdout: 'web/api[0]' })
  const logs = await fleet.muster('tw', 'logs', 'web', '--grep', 'listens', '--json')
  expect(new Set(logs.stdout.split('\n').map((line) => (JSON.parse(line) as { task: string }).task)).size).toBe(4)
})

test('what cannot be run beside a task is 127, as in a shell, and not a mistake of the command line; a task that ended is told as that', async () => {
  const main = { command: ['sleep', '1000'], isolation: 'plain', resources: { cpu: '10m', memory: '8MiB' } }
  writeFileSync(file('plain.yaml'), JSON.stringify({ job: 'plain', groups: { g: { main } } }))
  await fleet.data('tw', 'job', 'run', 'plain.yaml', '--wait', '--timeout', '20s')
  for (const task of ['web/api[0]', 'plain/g[0]']) {
    const exec = await fleet.muster('tw', 'task', 'exec', task, '--', 'no-such-program')
    expect([task, exec.exitCode]).toEqual([task, 127])
    expect(exec.stderr).toContain('no-such-program')
    expect((await fleet.muster('tw', 'task', 'exec', task, '--', '/etc/passwd')).exitCode).toBe(126)
    expect((await fleet.muster('tw', 'task', 'exec', task, '--', 'sh', '-c', 'exit 2')).exitCode).toBe(2)
  }
  const { tasks } = await fleet.data('tw', 'ps', 'plain')
  await fleet.data('tw', 'job', 'stop', 'plain', '--yes')
  const gone = await eventually('its end', 20_000, async () => {
    const exec = await fleet.muster('tw', 'task', 'exec', String(tasks[0].id), '--', 'true')
    return exec.exitCode === 0 ? null : exec
  })
  expect([gone.exitCode, gone.stderr]).toEqual([5, expect.stringContaining('plain/g[0] has ended: stopped')])
})

const hasScript = spawnSync('script', ['--version']).error === undefined
test.skipIf(!hasScript)('needs the program script: a shell on a terminal has job control, its size and its exit code', async () => {
  const typed = spawn('script', ['-qfec', `stty rows 31 cols 99; ${process.execPath} ${BIN} tw task exec 'web/api[0]'`, '/dev/null'], {
    env: fleet.env,
  })
  let text = ''
  typed.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const closed = new Promise<number | null>((resolve) => typed.once('close', resolve))
  await eventually('a prompt', 20_000, () => /[#$] $/.test(text))
  typed.stdin.write('echo size $(stty size) of $MUSTER_TASK; exit 5\n')
  expect([await closed, text]).toEqual([5, expect.stringContaining('size 31 99 of web/api[0]')])
  expect(text).not.toMatch(/job control|process group/)
})

test('logs are in order of time, since a time and by a pattern; those of batch work that ended are all there', async () => {
  const command = ['sh', '-c', 'echo [first] of $MUSTER_TASK; sleep 1; echo second']
  writeFileSync(
    file('two.yaml'),
    JSON.stringify({
      job: 'two',
      kind: 'batch',
      groups: { b: { count: 2, main: { command, resources: { cpu: '10m', memory: '16MiB' } } } },
    }),
  )
  await fleet.data('tw', 'job', 'run', 'two.yaml', '--wait')
  const lines = async (...flags: string[]): Promise<string[]> => (await fleet.muster('tw', 'logs', 'two', ...flags)).stdout.split('\n')
  expect((await lines()).map((line) => line.replace(/\[\d\] /, ' ').replace(/ of .*/, ''))).toEqual([
    'two/b [first]',
    'two/b [first]',
    'two/b second',
    'two/b second',
  ])
  expect((await lines('--grep', '^\\[first\\] of two/b\\[[01]\\]$')).length).toBe(2)
  expect(await lines('--since', '2099-01-01')).toEqual([''])
  expect(await fleet.muster('tw', 'logs', 'two', '--grep', '[first')).toMatchObject({ exitCode: 2 })
  expect((await fleet.muster('tw', 'logs', 'web', '--all')).exitCode).toBe(0)
})

test('logs -f gives a line as it is written, and ends with 130 on Ctrl-C', async () => {
  const bin = fileURLToPath(new URL('../../../bin/muster.js', import.meta.url))
  const child = spawn(process.execPath, [bin, 'tw', 'logs', 'web/api[1]', '-f', '-n', '0'], {
    env: fleet.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  try {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await fleet.data('tw', 'task', 'restart', 'web/api[1]', '--yes')
    await eventually('a followed line', 20_000, () => text.includes('web/api[1] hello'))
  } finally {
    child.kill('SIGINT')
  }
  expect(await closed).toBe(130)
})

test('scale, explain without room, history, diff and revert', async () => {
  await fleet.data('tw', 'job', 'run', 'job.yaml', '--wait')
  await fleet.data('tw', 'job', 'run', 'job.yaml', '--set', 'groups.api.main.resources.cpu=900', '--set', 'groups.api.count=1')
  const explain = await fleet.muster('tw', 'explain', 'web')
  expect(explain.stdout).toContain('(TW_NO_FEASIBLE_NODE)')
  expect(explain.stdout).toContain('2 too small even when empty')
  expect((await fleet.data('tw', 'job', 'diff', 'web')).changes.map((change: { path: string }) => change.path)).toEqual([
    'groups.api.count',
    'groups.api.main.resources.cpu',
  ])
  await fleet.data('tw', 'job', 'revert', 'web', '--to', '1', '--wait', '--timeout', '30s')
  await fleet.data('tw', 'job', 'scale', 'web', '3', '--wait', '--timeout', '30s')
  const { status } = await fleet.data('tw', 'job', 'show', 'web')
  expect(status.groups[0]).toMatchObject({ arms: [{ healthy: 3, wanted: 3 }], leftover: 0 })
  expect((await fleet.data('tw', 'job', 'history', 'web')).map((it: { version: number }) => it.version)).toEqual([3, 2, 1])
})

test('a job that no node can hold is accepted and waits: its plan exits with 7, waiting for it with 1, and room starts it', async () => {
  const main = { command: ['sleep', '1000'], resources: { cpu: 900 } }
  writeFileSync(file('huge.yaml'), JSON.stringify({ job: 'huge', groups: { g: { count: 1, main } } }))
  const run = (...flags: string[]) => fleet.muster('tw', 'job', 'run', 'huge.yaml', ...flags)
  expect((await run('--plan')).exitCode).toBe(0)
  expect((await run('--plan', '--exit-code')).exitCode).toBe(7)
  const waited = await run('--wait', '--timeout', '1s', '--json')
  expect(waited.json.error).toMatchObject({ code: 'WAIT_OVER', exit: 1, details: { code: 'TW_NO_FEASIBLE_NODE' } })
  expect(waited.exitCode).toBe(1)
  expect((await run('--set', 'groups.g.main.resources.cpu=10m', '--wait', '--timeout', '20s')).exitCode).toBe(0)
  await fleet.data('tw', 'job', 'stop', 'huge', '--yes')
})

test('a plan names places and the entries, changes nothing, and its id applies it', async () => {
  const plan = await fleet.muster('tw', 'job', 'run', 'job.yaml', '--set', 'groups.api.main.env.NEW=1', '--plan')
  expect(plan.stdout).toContain('+ groups.api.main.env.NEW: 1')
  expect(plan.stdout).toContain('api: replace, 4 tasks, 3 run now')
  const id = /--apply (p\S+)/.exec(plan.stdout)?.[1] ?? ''
  expect((await fleet.data('tw', 'job', 'history', 'web')).length).toBe(3)
  expect((await fleet.data('tw', 'job', 'run', 'job.yaml', '--set', 'groups.api.main.env.NEW=1', '--apply', id)).version).toBe(4)
})

test('drain --wait returns when the node is empty, and the tasks serve elsewhere', async () => {
  expect((await fleet.muster('tw', 'drain', 'n2')).exitCode).toBe(4)
  const drain = await fleet.muster('tw', 'drain', 'n2', '--yes', '--wait', '--timeout', '40s')
  expect(drain.exitCode, drain.stderr).toBe(0)
  expect((await fleet.data('tw', 'ps', '--node', 'n2')).tasks).toEqual([])
  expect((await fleet.muster('tw', 'node', 'ls')).stdout).toContain('○ drained')
  expect((await fleet.data('tw', 'undrain', 'n2')).isChanged).toBe(true)
})

test('a batch job waits for its end, and a job from compose runs', async () => {
  writeFileSync(file('batch.yaml'), (await fleet.muster('tw', 'init', 'batch')).stdout)
  expect((await fleet.muster('tw', 'job', 'run', 'batch.yaml', '--wait', '--timeout', '30s')).exitCode).toBe(0)
  expect((await fleet.data('tw', 'ps', 'nightly', '--all')).tasks.map((task: { state: string }) => task.state)).toEqual([
    'complete',
    'complete',
  ])
  writeFileSync(
    file('compose.yaml'),
    'name: small\nservices:\n  sleeper:\n    image: busybox\n    command: sleep 1000\n    volumes: ["/a:/a"]\n',
  )
  const imported = await fleet.muster('tw', 'import', 'compose', 'compose.yaml', '--strict')
  expect(imported.exitCode).toBe(7)
  expect(imported.stderr).toMatch(/services\.sleeper\.volumes +✖ unsupported/)
  writeFileSync(file('small.yaml'), imported.stdout)
  expect((await fleet.muster('tw', 'job', 'run', 'small.yaml', '--wait', '--timeout', '20s')).exitCode).toBe(0)
})

test('bad input ends with its documented exit code and a sentence', async () => {
  writeFileSync(file('bad.yaml'), readFileSync(file('job.yaml'), 'utf8').replace('count: 4', 'cuont: 4'))
  const bad = await fleet.muster('tw', 'job', 'run', 'bad.yaml')
  expect(bad.exitCode).toBe(2)
  expect(bad.stderr).toMatch(/bad\.yaml:\d+:5 unknown key `cuont`; did you mean `count`\?/)
  expect((await fleet.muster('tw', 'job', 'run', 'nowhere.yaml')).exitCode).toBe(2)
  expect((await fleet.muster('tw', 'job', 'show', 'nope', '--json')).json).toMatchObject({
    ok: false,
    error: { code: 'TW_JOB_UNKNOWN', exit: 3 },
  })
  expect((await fleet.muster('tw', 'task', 'exec', 'web/api[99]')).exitCode).toBe(3)
  expect((await fleet.muster('tw', 'drain', 'nowhere', '--yes')).exitCode).toBe(3)
})

test('a stopped job has no process left and comes back by revert', async () => {
  await fleet.data('tw', 'job', 'stop', 'small', '--yes')
  await eventually('no task left', 15_000, async () => (await fleet.data('tw', 'ps', 'small')).tasks.length === 0)
  expect((await fleet.data('tw', 'job', 'revert', 'small')).isChanged).toBe(true)
  expect((await fleet.muster('tw', 'events', '--from', '0', '--notable')).stdout).toContain('job small stopped')
})
