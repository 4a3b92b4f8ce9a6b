import { spawn } from 'node:child_process'
import { mkdirSync, openSync, closeSync } from 'node:fs'
import { dirname } from 'node:path'
import { identify, isAlive, type ProcessId, readProcessId, signalProcess, writeProcessId } from './process.ts'
import type { Logger } from './logger.ts'

export interface SupervisedProcess {
  name: string
  /** where its pid and start time are kept, so that who is started after this one finds it again */
  pidFile: string
  /** argv */
  command: () => string[]
  env?: Record<string, string>
  /** default: that of the one that starts it */
  cwd?: string
  /** its stdout and stderr, for what it says before it has a log of its own */
  output: string
}

export interface Supervisor {
  /** Starts it, or takes over the one that is already running, and starts it again whenever it dies. */
  keep: (wanted: SupervisedProcess) => void
  /** Ends it (SIGTERM, SIGKILL after `graceMs`) and no longer starts it. */
  end: (name: string, graceMs: number) => Promise<void>
  list: () => { name: string; pid: number | null; restarts: number; output: string }[]
  /** Stops watching; the processes go on. */
  detach: () => void
}

interface Kept {
  wanted: SupervisedProcess
  id: ProcessId | null
  restarts: number
  startAfter: number
}

const LOOK_MS = 250
/** Between a start and the next one, twice as long after each death, up to the most. */
const BACKOFF_MS = 500
const BACKOFF_MS_MAX = 10_000

/** Keeps processes running that outlive this one: they are told apart by pid and start time, not by parenthood. */
export function createSupervisor(log: Logger, backoffMs = BACKOFF_MS): Supervisor {
  const kept = new Map<string, Kept>()

  const start = (entry: Kept): void => {
    const { wanted } = entry
    const [program, ...args] = wanted.command()
    mkdirSync(dirname(wanted.output), { recursive: true })
    const output = openSync(wanted.output, 'a', 0o600)
    const child = spawn(program as string, args, {
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, ...wanted.env },
      cwd: wanted.cwd,
    })
    closeSync(output)
    child.on('error', (error) => log.error('a process could not be started', { name: wanted.name, error: String(error) }))
    child.unref()
    entry.id = child.pid === undefined ? null : identify(child.pid)
    if (entry.id) writeProcessId(wanted.pidFile, entry.id)
  }

  const look = (): void => {
    for (const entry of kept.values()) {
      if (entry.id && isAlive(entry.id)) continue
      const now = Date.now()
      if (now < entry.startAfter) continue
      if (entry.id) {
        entry.restarts += 1
        log.warn('a process has died and is started again', { name: entry.wanted.name, pid: entry.id.pid, restarts: entry.restarts })
      }
      entry.startAfter = now + Math.min(BACKOFF_MS_MAX, backoffMs * 2 ** Math.min(entry.restarts, 5))
      start(entry)
    }
  }
  const timer = setInterval(look, LOOK_MS)

  return {
    keep: (wanted) => {
      const found = readProcessId(wanted.pidFile)
      kept.set(wanted.name, { wanted, id: found && isAlive(found) ? found : null, restarts: 0, startAfter: 0 })
      look()
    },
    end: async (name, graceMs) => {
      const entry = kept.get(name)
      kept.delete(name)
      if (entry?.id) await endProcess(entry.id, graceMs)
    },
    list: () =>
      [...kept.values()].map(({ wanted, id, restarts }) => ({
        name: wanted.name,
        pid: id && isAlive(id) ? id.pid : null,
        restarts,
        output: wanted.output,
      })),
    detach: () => clearInterval(timer),
  }
}

/** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
export async function endProcess(id: ProcessId, graceMs: number): Promise<void> {
  signalProcess(id, 'SIGTERM')
  const deadline = Date.now() + graceMs
  while (isAlive(id)) {
    if (Date.now() >= deadline) signalProcess(id, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
