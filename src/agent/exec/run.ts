import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, processStat, signalProcess, type ProcessId } from '../../platform/process.ts'
import type { TaskFolder } from './folder.ts'
import { namespacePrefix } from './isolation.ts'
import { shim, SHIM_NAME } from './shim.ts'

const PID_POLL_MS = 4
const PID_WAIT_MS = 5000
const END_POLL_MS = 200

/** A task's process, started by us or found again. */
export interface Run {
  process: ProcessId
  /** exit code as a shell counts it; null when nobody could see it (`unknown`) */
  ended: Promise<number | null>
}

/**
 * Starts a command under the shim, detached from the agent.
 * @returns the run, or the shim's exit code when the command never came to life (126: preparing failed)
 */
export async function startRun(
  folder: TaskFolder,
  command: readonly string[],
  options: { env: Record<string, string>; cwd: string; isIsolated: boolean },
): Promise<Run | number> {
  const { shell, script } = shim()
  const argv = [...(options.isIsolated ? namespacePrefix() : []), shell, '-c', script, SHIM_NAME, folder.root, ...command]
  const out = openSync(folder.out, 'a', 0o600)
  const err = openSync(folder.err, 'a', 0o600)
  let child
  try {
    child = spawn(argv[0] ?? shell, argv.slice(1), { cwd: options.cwd, env: options.env, detached: true, stdio: ['ignore', out, err] })
  } finally {
    closeSync(out)
    closeSync(err)
  }
  let shimCode: number | null | undefined
  const shimEnded = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      shimCode = code
      resolve()
    })
    child.once('error', () => {
      shimCode = 126
      resolve()
    })
  })
  child.unref()
  const giveUpAt = performance.now() + PID_WAIT_MS
  for (;;) {
    const id = folder.process()
    // Told of only once it leads its own group: until then a signal to the group would miss it.
    const isReady = id !== null && (processStat(id.pid)?.group === id.pid || shimCode !== undefined)
    if (isReady) return { process: id, ended: untilEnd(folder, id, shimEnded, () => shimCode ?? null) }
    if (shimCode !== undefined) return shimCode ?? 126
    if (performance.now() > giveUpAt) {
      if (id !== null) signalProcess(id, 'SIGKILL', 'group')
      child.kill('SIGKILL')
      return 126
    }
    await Promise.race([sleep(PID_POLL_MS), shimEnded])
  }
}

/** What is left of a start of an earlier agent: a run, `null` when it is known that nothing was started, or `unknown`. */
export async function adoptRun(folder: TaskFolder): Promise<Run | null | 'unknown'> {
  const code = folder.exitCode()
  const id = folder.process()
  if (code !== null) return { process: id ?? { pid: 0, startTime: 0, bootId: '' }, ended: Promise.resolve(code) }
  if (id !== null) return { process: id, ended: untilEnd(folder, id, new Promise(() => {}), () => null) }
  if (folder.claimStart()) return null
  // The shim is there but has not written the pid yet: a matter of milliseconds, or it was killed just then.
  for (let i = 0; i < 250; i += 1) {
    if (folder.process() !== null) return adoptRun(folder)
    const shimId = folder.shim()
    if (shimId !== null && !isAlive(shimId)) break
    await sleep(PID_POLL_MS)
  }
  return folder.process() === null ? 'unknown' : adoptRun(folder)
}

async function untilEnd(
  folder: TaskFolder,
  id: ProcessId,
  shimEnded: Promise<void>,
  shimCode: () => number | null,
): Promise<number | null> {
  let isShimWatched = true
  for (;;) {
    const code = folder.exitCode() ?? shimCode()
    if (code !== null) return code
    const shimId = folder.shim()
    if (!isAlive(id) && (shimId === null || !isAlive(shimId))) return folder.exitCode() ?? shimCode()
    // A shim that was killed leaves its command running; it is then watched by its pid alone.
    await (isShimWatched ? Promise.race([sleep(END_POLL_MS), shimEnded.then(() => (isShimWatched = false))]) : sleep(END_POLL_MS))
  }
}
