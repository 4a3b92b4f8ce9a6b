import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { systemProgram } from './exec/programs.ts'

/** prlimit's name → how /proc/PID/limits calls it. Not `core`: tasks leave no core files. */
const TITLES: Readonly<Record<string, string>> = {
  nofile: 'Max open files',
  nproc: 'Max processes',
  memlock: 'Max locked memory',
  stack: 'Max stack size',
  rtprio: 'Max realtime priority',
  sigpending: 'Max pending signals',
  msgqueue: 'Max msgqueue size',
}

/** A resource limit of this process, `SOFT:HARD`, or one word where both are the same; null: the kernel has none of that name. getrlimit(2). */
export function readLimit(name: string): string | null {
  const title = TITLES[name]
  const line = readFileSync('/proc/self/limits', 'utf8')
    .split('\n')
    .find((it) => title !== undefined && it.startsWith(title))
  if (title === undefined || line === undefined) return null
  const [soft = '', hard = ''] = line.slice(title.length).trim().split(/\s+/)
  return soft === hard ? soft : `${soft}:${hard}`
}

/** Sets it, for this process and those it starts from now on. Throws what the kernel says to it. */
export function writeLimit(name: string, value: string): void {
  const limit = value.includes(':') ? value : `${value}:${value}`
  const { status, stderr, error } = spawnSync(systemProgram('prlimit') ?? 'prlimit', [`--pid=${process.pid}`, `--${name}=${limit}`], {
    encoding: 'utf8',
    timeout: 5000,
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(stderr.trim().replace(/^prlimit: /, ''))
}
