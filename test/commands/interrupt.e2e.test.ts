import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cgroupParent, findCgroups } from '../../src/agent/exec/cgroups.ts'
import { eventually } from '../support/eventually.ts'
import { BIN, newFleet, type TestFleet } from '../support/fleet.ts'
import { helloRelease, runHello } from '../support/hello.ts'

/** Command lines of living processes that name a folder. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
      } catch {
        return []
      }
    })
    .filter((line) => line.includes(folder))
}

test('Ctrl-C of a starting `up` ends with 130 and leaves no process, and the next one starts', async () => {
  const fleet = newFleet()
  try {
    const up = spawn(process.execPath, [BIN, 'up', '--nodes', '2'], { env: fleet.env, stdio: 'ignore' })
    const ended = once(up, 'exit')
    await eventually('a server that starts', 30_000, async () => processesOf(fleet.root).length > 0)
    up.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    await eventually('no process', 20_000, async () => processesOf(fleet.root).length === 0)
    expect((await fleet.muster('up', '--nodes', '2', '--json')).exitCode).toBe(0)
  } finally {
    await fleet.end()
  }
}, 120_000)

/**
 * Every command that stays until it is done or told to end, on one fleet: how it is called, and what shows that it got
 * to its work. What runs for it (a command under a lock, one beside a task) sleeps for a time that nothing else does.
 */
const SLEEP = ['sleep', '43211']
/** Those that only look, or add: they do not disturb each other. */
const LOOKING: readonly (readonly string[])[] = [
  ['tw', 'ps', '--watch'],
  ['tw', 'events', '--follow'],
  ['tw', 'logs', 'web', '-f'],
  ['scuba', 'send', 'things', '-'],
  ['scuba', 'tail', 'requests'],
  ['sev', 'watch'],
  ['delos', 'kv', 'watch', 'some', '--prefix'],
  ['delos', 'log', 'tail', '-f'],
]
const CHANGING: readonly (readonly string[])[] = [
  ['tw', 'task', 'exec', 'web/api[0]', '--', ...SLEEP],
  ['tw', 'job', 'run', 'never.yaml', '--wait'],
  ['chaos', 'run', 'long.yaml', '--yes', '--wait'],
  ['deploy', 'start', 'web', '--release', './dist-2', '--profile', 'demo', '--yes', '--wait'],
  ['deploy', 'watch'],
  // Nothing fits elsewhere, so it waits for its deadline.
  ['tw', 'drain', 'n1', '--force', '--wait', '--yes'],
  ['delos', 'lock', 'run', 'job', '--ttl', '2s', '--', ...SLEEP],
]

/** Whether a process has a connection, beside its own input and output. */
function hasSocket(pid: number): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => Number(fd) > 2 && readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:'))
}

/** Cgroups of a fleet's tasks that are there. */
function cgroupsOf(root: string): string[] {
  const mounts = findCgroups()
  if (mounts === null) return []
  const folders = [mounts.memory, mounts.cpu, mounts.pids].flatMap((mount) =>
    mount === null ? [] : [join(mount, dirname(cgroupParent(root, 'n1')))],
  )
  return folders.filter((folder) => existsSync(folder))
}

/** Processes of this user that sleep as `SLEEP` does. */
const sleepers = (): number => processesOf('43211').filter((line) => line.startsWith(SLEEP.join(' '))).length

describe('a command that stays', () => {
  let fleet: TestFleet
  let standing: string[]

  /** Command lines of the fleet's processes, as they are while no command runs. */
  const fleetProcesses = (): string[] => processesOf(fleet.home).toSorted()

  beforeAll(async () => {
    fleet = newFleet()
    expect((await fleet.muster('up', '--nodes', '2', '--json')).exitCode).toBe(0)
    await runHello(fleet, 2)
    helloRelease(fleet, { version: '2' })
    await eventually('two tasks that answer', 30_000, async () => {
      const { tasks } = await fleet.data('tw', 'ps')
      return tasks.filter(({ health }: { health: string }) => health === 'healthy').length === 2
    })
    await fleet.data('scuba', 'query', 'select 1')
    const { exitCode, stdout } = await fleet.muster('tw', 'init', 'service')
    expect(exitCode).toBe(0)
    writeFileSync(
      join(fleet.home, 'never.yaml'),
      stdout.replaceAll(/\bweb\b/g, 'never').replace(/resources:.*/, 'resources: { cpu: 900000m }'),
    )
    const experiment = readFileSync(new URL('../../templates/experiments/kill-tasks.yaml', import.meta.url), 'utf8')
    writeFileSync(
      join(fleet.home, 'long.yaml'),
      experiment.replaceAll('15s', '60s').replaceAll('three tasks', 'a task').replace('count: 3', 'count: 1'),
    )
    await fleet.data('tw', 'node', 'cordon', 'n2', '--yes')
    standing = fleetProcesses()
  }, 180_000)

  afterAll(() => fleet.end(), 120_000)

  const start = (words: readonly string[]) => {
    const child = spawn(process.execPath, [BIN, ...words], { env: fleet.env, cwd: fleet.home, stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => undefined)
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (said += part.toString()))
    return { child, ended: once(child, 'exit') as Promise<[number | null, string | null]>, said: () => said }
  }

  const leavesNothing = async (_name: string, words: readonly string[]): Promise<void> => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const { child, ended, said } = start(words)
      // At its work: connected to the server, or with its command running.
      const startedAt = performance.now()
      const isAtWork = (): boolean => {
        if (words.includes(SLEEP[1] as string)) return sleepers() > 0
        // Those two say what they see; a third asks the server only once it has read something.
        if (words[1] === 'run' || words[1] === 'start') return said() !== ''
        return words[1] === 'send' ? performance.now() - startedAt > 1000 : hasSocket(child.pid ?? 0)
      }
      await eventually(`${words.join(' ')} at work (${said()})`, 30_000, isAtWork)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(child.exitCode, said()).toBe(null)
      child.kill(signal)
      // Before it has begun to listen for it, Ctrl-C ends a command as it ends every other: for a shell that is 130 too.
      const [code, by] = await ended
      expect(signal === 'SIGINT' && by === null ? code : by, said()).toBe(signal === 'SIGINT' && by === null ? 130 : signal)
      if (words[1] === 'start' && signal === 'SIGINT') await fleet.data('deploy', 'abort', 'web', '--yes')
      if (words[0] === 'chaos') {
        for (const { run } of (await fleet.data('chaos', 'active')).runs) await fleet.muster('chaos', 'stop', run, '--yes')
        await eventually('the end of the run', 15_000, async () => (await fleet.data('chaos', 'active')).runs.length === 0)
      }
      await eventually('the end of all it ran', 20_000, () => sleepers() === 0)
    }
  }
  const named = (commands: typeof LOOKING) => commands.map((words) => [words.join(' '), words] as const)
  test.concurrent.each(named(LOOKING))('leaves nothing on Ctrl-C and on kill -9: %s', leavesNothing, 120_000)
  test.each(named(CHANGING))('leaves nothing on Ctrl-C and on kill -9: %s', leavesNothing, 60_000)

  test('leaves the fleet with its own processes only, no lock, no fault; and a next `up` finds nothing to refuse', async () => {
    await eventually('no lock', 20_000, async () => (await fleet.data('delos', 'lock', 'ls')).locks.length === 0)
    await fleet.muster('chaos', 'halt', '--reason', 'test', '--yes')
    expect((await fleet.data('chaos', 'active')).faults ?? []).toEqual([])
    await fleet.muster('deploy', 'abort', 'web', '--yes')
    await eventually('the processes of before', 30_000, () => {
      const now = fleetProcesses()
      return now.filter((line) => !/tasks\/\d+/.test(line)).join('\n') === standing.filter((line) => !/tasks\/\d+/.test(line)).join('\n')
    })
    expect((await fleet.muster('down', '--json')).exitCode).toBe(0)
    // What was killed is gone a moment later.
    await eventually('no process', 20_000, () => processesOf(fleet.home).length === 0)
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(fleet.home)
    expect(cgroupsOf(fleet.root)).toEqual([])
    expect((await fleet.muster('up', '--nodes', '2', '--json')).exitCode).toBe(0)
  }, 180_000)
})
