import { spawn } from 'node:child_process'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { refuse } from '../core/kernel/errors.ts'
import { textOf } from '../platform/streams.ts'

/** Output beyond this is not read; the command is ended. */
const OUTPUT_BYTES_MAX = 65_536

const askedSchema = z.object({ command: z.array(z.string()).min(1), input: z.string(), timeoutMs: z.int().min(1).max(3_600_000) })

/** Where a task's processes live: the words before a command that go there, environment and folder. */
export interface Beside {
  argv: string[]
  env: Record<string, string>
  cwd: string
}

/**
 * Answers `{command, input, timeoutMs}` with what the command writes to stdout, run beside a task with `input` on its stdin.
 * UNAVAILABLE when it fails, is silent for too long, or says more than 64 KiB.
 */
export async function runBeside(beside: Beside, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = askedSchema.parse(JSON.parse(await textOf(incoming)))
  const output = await outputOf([...beside.argv, ...asked.command], beside, asked)
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(output)
}

function outputOf(argv: string[], { env, cwd }: Beside, asked: z.output<typeof askedSchema>): Promise<string> {
  const [program = '', ...args] = argv
  return new Promise((resolve, reject) => {
    // A group of its own, so that a command that hangs takes its children with it.
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], env, cwd, detached: true })
    const said: Buffer[] = []
    let size = 0
    let trouble = ''
    const end = (why: string): void => {
      trouble = why
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }
    const deadline = setTimeout(() => end(`silent for ${asked.timeoutMs} ms`), asked.timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > OUTPUT_BYTES_MAX) end(`it says more than ${OUTPUT_BYTES_MAX} bytes`)
      else said.push(chunk)
    })
    // A command that does not read its input is no fault.
    child.stdin.on('error', () => {})
    child.stdin.end(asked.input)
    child.once('error', (error) => {
      clearTimeout(deadline)
      reject(refuse('UNAVAILABLE', `${asked.command[0]}: ${error.message}`, { cause: error }))
    })
    child.once('close', (code, signal) => {
      clearTimeout(deadline)
      if (trouble === '' && code === 0) resolve(Buffer.concat(said).toString('utf8'))
      else reject(refuse('UNAVAILABLE', `${asked.command[0]}: ${trouble || (code === null ? `signal ${signal}` : `exit ${code}`)}`))
    })
  })
}
