import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { z } from 'zod'
import { refuse } from '../core/kernel/errors.ts'
import { textOf } from '../platform/streams.ts'

/** Of what a command says the end is kept. */
const OUTPUT_BYTES_MAX = 65_536
/** What is asked of a run that was begun by an agent which did not see its end. */
const UNSEEN: RunResult = { exitCode: -1, output: 'the agent ended while the command ran: nobody knows how it went' }

const askedSchema = z.object({ command: z.array(z.string()).min(1), timeoutMs: z.int().min(1).max(3_600_000) })

export interface RunResult {
  exitCode: number
  /** what it wrote, the last 64 KiB */
  output: string
}

const running = new Map<string, Promise<RunResult>>()

/**
 * Answers `{command, timeoutMs}` with how the command of that key went on this node. A key is run once: asked again, it is waited for, or
 * told from its file, also after the agent was started again.
 */
export async function runOnce(folder: string, key: string, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!/^[\w.-]{1,100}$/.test(key)) throw refuse('USAGE', `"${key}" is not the key of a run`)
  const asked = askedSchema.parse(JSON.parse(await textOf(incoming)))
  const run = running.get(key) ?? begin(folder, key, asked)
  running.set(key, run)
  const result = await run
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(result))
}

async function begin(folder: string, key: string, asked: z.output<typeof askedSchema>): Promise<RunResult> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const [begun, ended] = [join(folder, `${key}.begun`), join(folder, `${key}.json`)]
  if (existsSync(ended)) return JSON.parse(readFileSync(ended, 'utf8')) as RunResult
  if (existsSync(begun)) return UNSEEN
  writeFileSync(begun, JSON.stringify(asked), { flush: true })
  const result = await resultOf(asked)
  writeFileSync(`${ended}.new`, JSON.stringify(result), { flush: true })
  renameSync(`${ended}.new`, ended)
  return result
}

function resultOf({ command, timeoutMs }: z.output<typeof askedSchema>): Promise<RunResult> {
  const [program = '', ...args] = command
  return new Promise((resolve) => {
    // A group of its own, so that a command that hangs takes its children with it.
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', detached: true })
    let output = Buffer.alloc(0)
    let isLate = false
    const take = (chunk: Buffer): void => {
      output = Buffer.concat([output, chunk]).subarray(-OUTPUT_BYTES_MAX)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    const deadline = setTimeout(() => {
      isLate = true
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, timeoutMs)
    child.once('error', (error) => {
      clearTimeout(deadline)
      resolve({ exitCode: 127, output: error.message })
    })
    child.once('close', (code) => {
      clearTimeout(deadline)
      const said = output.toString('utf8')
      resolve(isLate ? { exitCode: -1, output: `${said}\nended after ${timeoutMs} ms` } : { exitCode: code ?? -1, output: said })
    })
  })
}
