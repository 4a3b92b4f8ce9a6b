import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
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
 * on a pipe, ends it when we are killed.
 */
export function startCommand(command: readonly string[], { env, cwd, graceMs }: ChildOptions): ChildCommand {
  const hasTerminal = Boolean(process.stdin.isTTY)
  const [program = '', ...args] = command
  // First, so that we cannot be killed between the start of the command and that of who would end it.
  const guard = startGuard(graceMs)
  const child = spawn(program, args, { stdio: 'inherit', detached: !hasTerminal, env, ...(cwd === undefined ? {} : { cwd }) })
  const target = (pid: number): number => (hasTerminal ? pid : -pid)
  // In a terminal's job that is ours all of the job is, once we are gone, what we started.
  if (child.pid === undefined) guard.stdin?.end()
  else guard.stdin?.write(`${hasTerminal && leadsGroup() ? -process.pid : target(child.pid)}\n`)
  const send = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return
    try {
      process.kill(target(child.pid), signal)
    } catch {
      // It ended in this moment.
    }
  }
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new MusterError(error.code === 'ENOENT' ? 'NOT_FOUND' : 'USAGE', `${program} cannot be run: ${error.message}`, {
          cause: error,
          hint: 'Check the command after --.',
        }),
      )
    })
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
