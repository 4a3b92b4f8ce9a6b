import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, resolve } from 'node:path'

/**
 * Finds the program of a command, as execvp(3) would: exit code 127 alone does not say whether the program or something
 * it runs is missing.
 * @returns its absolute path, or null
 */
export function findProgram(name: string, path: string, cwd: string): string | null {
  const candidates = name.includes('/')
    ? [isAbsolute(name) ? name : resolve(cwd, name)]
    : path.split(delimiter).map((folder) => resolve(cwd, folder || '.', name))
  return candidates.find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

const cache = new Map<string, string | null>()

/** A tool of the system, looked up once in PATH and the usual folders. */
export function systemProgram(name: string): string | null {
  let found = cache.get(name)
  if (found === undefined) {
    found = findProgram(name, `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`, '/')
    cache.set(name, found)
  }
  return found
}

/** Runs a tool; true when it exits 0. For probing what this machine can do. */
export function succeeds(command: string, args: readonly string[]): boolean {
  const program = systemProgram(command)
  if (program === null) return false
  return spawnSync(program, args, { stdio: 'ignore', timeout: 5000 }).status === 0
}
