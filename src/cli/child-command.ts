import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants as access, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { resolve as resolvePath } from 'node:path'
import type { Writable } from 'node:stream'
import { MusterError } from '../core/kernel/errors.ts'

export interface ChildCommand {
  /** its exit code; 128 + n when a signal ended it */
  ended: Promise<number>
  /** Passes a signal of the user's on; what does not end from it in time is ended. */
  interrupt: (signal: NodeJS.Signals) => void
  /** Sends the signal, and SIGKILL after `graceMs`. */
  stop: (signal: NodeJS.Signals, graceMs: number) => Promise<void>
}

export interface ChildOptions {
  env: NodeJS.ProcessEnv
  cwd?: string
  /** what it gets between being told to end and SIGKILL, when it is ended before its time */
  graceMs: number
}

/**
 * Starts a command that must not outlive us. Off a terminal it gets a process group of its own, so that all of it can
 * be ended; on a terminal it stays in ours, so that it can read from it and Ctrl-C reaches it. A guard, a shell waiting
 * on a pipe, ends it when we are killed. It begins only once the guard has been told of it: until then a shell stands in
 * its place, which ends when we do.
 */
export function startCommand(command: readonly string[], { env, cwd, graceMs }: ChildOptions): ChildCommand {
  const hasTerminal = Boolean(process.stdin.isTTY)
  const [program = ''] = command
  const refusal = refusalOf(program, env, cwd ?? process.cwd())
  if (refusal !== null) return { ended: Promise.reject(refusal), interrupt: () => undefined, stop: () => Promise.resolve() }
  const guard = startGuard(graceMs)
  const child = spawn('/bin/sh', ['-c', HELD, 'muster', ...asGiven(env), ...command], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    detached: !hasTerminal,
    env,
    ...(cwd === undefined ? {} : { cwd }),
  })
  const go = child.stdio[3] as Writable
  go.on('error', () => undefined)
  const target = (pid: number): number => (hasTerminal ? pid : -pid)
  // In a terminal's job that is ours all of the job is, once we are gone, what we started.
  if (child.pid === undefined) guard.stdin?.end()
  else guard.stdin?.write(`${hasTerminal && leadsGroup() ? -process.pid : target(child.pid)}\n`, () => go.end('go\n'))
  const send = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return
    try {
      process.kill(target(child.pid), signal)
    } catch {
      // It ended in this moment.
    }
  }
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(cannotRun(program, error)))
    child.once('exit', (code, signal) => {
      // What it left behind in its group would go on without anybody.
      if (!hasTerminal) send('SIGKILL')
      guard.stdin?.end('done\n')
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
    })
  })
  const stop = async (signal: NodeJS.Signals, waitMs: number): Promise<void> => {
    send(signal)
    const timer = setTimeout(() => send('SIGKILL'), waitMs)
    await ended.catch(() => undefined)
    clearTimeout(timer)
  }
  return {
    ended,
    stop,
    interrupt: (signal) => {
      // A terminal's Ctrl-C has reached it already; twice would mean "at once".
      if (signal === 'SIGINT' && hasTerminal) return
      void stop(signal, graceMs)
    },
  }
}

/** Waits for a line on its fourth descriptor, and becomes the command; without one, which is when we are gone, it ends. */
const HELD = 'read -r _ <&3 || exit 1; exec 3<&-; exec "$@"'

/** A shell hands on no variable whose name it could not have; these come as words of `env`. */
function asGiven(env: NodeJS.ProcessEnv): string[] {
  const odd = Object.entries(env).filter(([name, value]) => value !== undefined && !/^[A-Za-z_]\w*$/.test(name))
  return odd.length === 0 ? [] : ['env', ...odd.map(([name, value]) => `${name}=${value}`)]
}

function cannotRun(program: string, error: NodeJS.ErrnoException): MusterError {
  return new MusterError(error.code === 'ENOENT' ? 'NOT_FOUND' : 'USAGE', `${program} cannot be run: ${error.message}`, {
    cause: error,
    hint: 'Check the command after --.',
  })
}

/** Why there is no such program: the shell in its place would find out only when we can no longer say so. */
function refusalOf(program: string, env: NodeJS.ProcessEnv, cwd: string): MusterError | null {
  const dirs = program.includes('/') ? [''] : (env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(':')
  let found: NodeJS.ErrnoException | null = null
  for (const dir of dirs) {
    try {
      accessSync(resolvePath(cwd, dir, program), access.X_OK)
      return null
    } catch (error) {
      const reason = error as NodeJS.ErrnoException
      if (found === null || reason.code !== 'ENOENT') found = reason
    }
  }
  return found === null ? null : cannotRun(program, found)
}

/** Field 5 of /proc/PID/stat, counted behind the name, is the process group. */
function leadsGroup(): boolean {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) === process.pid
}

function startGuard(graceMs: number): ChildProcess {
  const seconds = Math.max(0.1, graceMs / 1000).toFixed(1)
  // It is told whom to end. The second `read` succeeds when we say that it is done, and fails when the pipe closes because we are gone.
  const script = `read -r target || exit 0; read -r _ && exit 0; kill -TERM "$target" 2>/dev/null; sleep ${seconds}; kill -KILL "$target" 2>/dev/null`
  const guard = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.stdin?.on('error', () => undefined)
  guard.on('error', () => undefined)
  return guard
}
