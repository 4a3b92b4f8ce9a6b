import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessId {
  pid: number
  /** field 22 of /proc/PID/stat: clock ticks after boot */
  startTime: number
  bootId: string
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** Start time of a living process, or null when there is none (a zombie counts as none). */
export function startTimeOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command may hold spaces and brackets: fields count from behind its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : Number(fields[19])
  } catch {
    return null
  }
}

export function identify(pid: number): ProcessId | null {
  const startTime = startTimeOf(pid)
  return startTime === null ? null : { pid, startTime, bootId: bootId() }
}

export function isAlive(id: ProcessId): boolean {
  return startTimeOf(id.pid) === id.startTime && id.bootId === bootId()
}

/** Signals the very process, never a later one with its pid. Gives whether it was there. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false
  try {
    process.kill(id.pid, signal)
    return true
  } catch {
    return false
  }
}

export function readProcessId(file: string): ProcessId | null {
  try {
    const id = JSON.parse(readFileSync(file, 'utf8')) as ProcessId
    return typeof id.pid === 'number' && typeof id.startTime === 'number' ? id : null
  } catch {
    return null
  }
}

export function writeProcessId(file: string, id: ProcessId): void {
  writeFileSync(`${file}.new`, JSON.stringify(id), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
