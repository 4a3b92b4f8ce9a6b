import Database from 'better-sqlite3'
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { refuse } from '../../core/kernel/errors.ts'
import { isDiskFull, replaceFile } from '../../platform/files.ts'
import type { StatePaths } from '../../platform/paths.ts'

/** Version of the form of the state directory; a directory of a newer one is refused. 1: each log was a single loglet, an entry a position. */
const STATE_FORMAT = 2

/** Makes the directories of a context, or refuses one that is not ours to write or of a newer version. */
export function prepareStateDir(paths: StatePaths): void {
  try {
    mkdirSync(paths.root, { recursive: true, mode: 0o700 })
    accessSync(paths.root, constants.W_OK)
    for (const folder of [paths.logs, paths.agents, paths.keys, dirname(paths.socket), dirname(paths.scubaSocket)])
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(paths.keys, 0o700)
  } catch (error) {
    if (isDiskFull(error)) throw refuse('DISK_FULL', `${paths.root}: the disk is full`, { cause: error })
    throw refuse('STATE_UNREADABLE', `${paths.root} cannot be written: ${(error as Error).message}`, { cause: error })
  }
  const file = join(paths.root, 'format.json')
  const formatText = `${JSON.stringify({ format: STATE_FORMAT })}\n`
  if (!existsSync(file)) {
    replaceFile(file, formatText)
    return
  }
  const format = readFormat(file)
  if (format > STATE_FORMAT)
    throw refuse('STATE_NEWER', `${paths.root} has format ${format}; this version of muster knows up to ${STATE_FORMAT}`)
  // What older ones hold is read as it is; what is written from now on they could not read.
  if (format < STATE_FORMAT) replaceFile(file, formatText)
}

function readFormat(file: string): number {
  try {
    const { format } = JSON.parse(readFileSync(file, 'utf8')) as { format: unknown }
    if (Number.isSafeInteger(format)) return format as number
  } catch {
    // Said below, with the name of the file.
  }
  throw refuse('STATE_UNREADABLE', `${file} does not say which format the state has`)
}

/** Takes the one lock of a state directory, for as long as the process lives. */
export function lockState(paths: StatePaths): { release: () => void } {
  const lock = takeLock(paths.lockDb)
  if (lock === null) throw refuse('SERVER_RUNNING', `another server holds ${paths.root}`)
  return lock
}

/**
 * Locks a file for as long as the process lives; null: somebody else has it. Node has no flock: an exclusive SQLite lock does the
 * same, and the kernel lets go of it when the process is killed.
 */
export function takeLock(file: string): { release: () => void } | null {
  const db = new Database(file, { timeout: 200 })
  try {
    db.pragma('locking_mode = EXCLUSIVE')
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    return null
  }
  return { release: () => db.close() }
}
