import { readFileSync, readdirSync } from 'node:fs'
import { replaceFile } from './files.ts'

/** A process named so that a later one with the same pid cannot be mistaken for it. */
export interface ProcessId {
  pid: number
  /** field 22 of /proc/PID/stat, in clock ticks since boot */
  startTime: number
  bootId: string
}

let cachedBootId: string | null = null

/** Identity of this boot of the machine: pids of another boot mean nothing. */
export function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return cachedBootId
}

export interface ProcessStat {
  /** a letter; Z and X have ended */
  state: string
  group: number
  session: number
  /** of CPU, in user and in kernel mode */
  ticks: number
  startTime: number
  rssPages: number
}

/** What the kernel says of a process; null when there is none. proc_pid_stat(5). */
export function processStat(pid: number): ProcessStat | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null // ENOENT or ESRCH: it has gone
  }
  // The command name may hold spaces and parentheses; only after the last ')' are the fields plain. The first there is field 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3])
  return {
    state: fields[0] ?? '?',
    group: field(5),
    session: field(6),
    ticks: field(14) + field(15),
    startTime: field(22),
    rssPages: field(24),
  }
}

const hasEnded = ({ state }: ProcessStat): boolean => state === 'Z' || state === 'X'

/** The identity of a living process, or null; a zombie does not live. */
export function identify(pid: number): ProcessId | null {
  const stat = processStat(pid)
  return stat === null || hasEnded(stat) ? null : { pid, startTime: stat.startTime, bootId: bootId() }
}

/** Whether exactly this process still runs: same pid, same start time, same boot, and not a zombie. */
export function isAlive(id: ProcessId): boolean {
  if (id.bootId !== bootId()) return false
  const stat = processStat(id.pid)
  return stat !== null && stat.startTime === id.startTime && !hasEnded(stat)
}

/**
 * Sends a signal to exactly this process, or to its whole group when it leads one.
 * @returns false when it has gone (nothing was sent)
 */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals, scope: 'process' | 'group' = 'process'): boolean {
  if (id.bootId !== bootId()) return false
  const stat = processStat(id.pid)
  if (stat !== null && stat.startTime !== id.startTime) return false
  // A group outlives its leader, and its number is not given to anybody while it has members; so a vanished leader's
  // group may still be signalled right after, but a lone process may not.
  if (stat === null && scope === 'process') return false
  // Between its fork and its setsid a task is still in its shim's group: then only the process itself is meant.
  const leadsGroup = stat === null || stat.group === id.pid
  try {
    process.kill(scope === 'group' && leadsGroup ? -id.pid : id.pid, signal)
    return true
  } catch {
    return false // ESRCH: it went between the check and the call
  }
}

/** State letters of all processes of a process group. */
export function groupStates(group: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = processStat(Number(name))
      return stat?.group === group ? [stat.state] : []
    })
}

/** The process a file names, as {@link writeProcessId} wrote it (other fields may stand beside it); null when absent or torn. */
export function readProcessId(file: string): ProcessId | null {
  try {
    const id = JSON.parse(readFileSync(file, 'utf8')) as ProcessId
    return typeof id.pid === 'number' && typeof id.startTime === 'number' ? id : null
  } catch {
    return null
  }
}

export function writeProcessId(file: string, id: ProcessId): void {
  replaceFile(file, JSON.stringify(id))
}
