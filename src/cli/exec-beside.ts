import { isRefusal } from '../core/kernel/errors.ts'
import { startCommand } from './child-command.ts'
import type { Client } from './client.ts'
import { execRemotely } from './remote-exec.ts'

interface Entrance {
  argv: string[]
  env: Record<string, string>
  cwd: string
  isHere: boolean
}

const GRACE_MS = 5000
/** As a shell has them: there is no such program, and there is one that cannot be run. */
const NO_PROGRAM = 127
const NOT_RUNNABLE = 126

/**
 * Runs a command beside a task on this terminal, wherever the task is; without words a shell.
 * @returns its exit code, 128 + n after a signal, 127 or 126 if there is nothing to run, as a shell has it
 */
export async function execBeside(client: Client, task: string, words: readonly string[]): Promise<number> {
  const { data } = await client.call<Entrance>('tw.task.exec', { task })
  // With a terminal of its own: a shell with job control would keep this one for a group that is not seen from here.
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY
  if (isTerminal || !data.isHere || client.target.socketPath === undefined) return execRemotely(client, task, words)
  return runHere([...data.argv, ...(words.length > 0 ? words : ['/bin/sh'])], data)
}

async function runHere(argv: readonly string[], entrance: Entrance): Promise<number> {
  const command = startCommand(argv, { env: entrance.env, cwd: entrance.cwd, graceMs: GRACE_MS })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, command.interrupt)
  try {
    return await command.ended
  } catch (error) {
    if (!isRefusal(error)) throw error
    process.stderr.write(`muster: ${error.message}\n`)
    return error.code === 'NOT_FOUND' ? NO_PROGRAM : NOT_RUNNABLE
  } finally {
    for (const signal of signals) process.off(signal, command.interrupt)
  }
}
