import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorFromBody, type ErrorBody, type MusterError } from '../../core/kernel/errors.ts'
import type { StatePaths } from '../../platform/paths.ts'

// Named by the process: of two servers that start at the same moment, each starter reads the word of its own.
const fileOf = (paths: StatePaths, pid: number): string => join(paths.logs, `start-error-${pid}.json`)

/** Leaves what stopped this process from starting for the command that started it. */
export function leaveStartError(paths: StatePaths, error: MusterError): void {
  try {
    writeFileSync(fileOf(paths, process.pid), JSON.stringify(error))
  } catch {
    // Nowhere to write it: stderr has it.
  }
}

/** What stopped process `pid` from starting, or null; read once. */
export function takeStartError(paths: StatePaths, pid: number): MusterError | null {
  try {
    const error = errorFromBody(JSON.parse(readFileSync(fileOf(paths, pid), 'utf8')) as ErrorBody)
    rmSync(fileOf(paths, pid), { force: true })
    return error
  } catch {
    return null // killed, or nowhere to write
  }
}
