import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DelosServerProcess } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

/** Why the disk of a process cannot be troubled here, or null: it can. */
export const traceMissing: string | null =
  spawnSync('strace', ['-V']).status === 0 && process.getuid?.() === 0 ? null : 'needs root and strace'

/**
 * From now on every durable write to the log of a server that runs is tampered with: `error=EIO`, or `delay_enter=MICROSECONDS`. Gives
 * what ends that. The kernel takes it off by itself when this process, and with it strace, is gone.
 */
export async function troubleSyncs({ pid, dir }: Pick<DelosServerProcess, 'pid' | 'dir'>, how: string): Promise<() => Promise<void>> {
  const files = readdirSync(join(dir, 'log'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.seg'))
  const inject = ['-e', 'trace=pwrite64', '-e', `inject=pwrite64:${how}`, ...files.flatMap((name) => ['-P', join(dir, 'log', name)])]
  const strace = spawn('strace', ['-f', '-p', String(pid()), ...inject], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  strace.stderr.on('data', (part: Buffer) => (said += part.toString()))
  await eventually(`strace at ${pid()}: ${said}`, 20_000, () => said.includes('attached'))
  return async () => {
    if (strace.exitCode !== null || strace.signalCode !== null) return
    strace.kill('SIGINT')
    await once(strace, 'exit')
  }
}
