import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:os'
import { refuse } from '../../core/kernel/errors.ts'
import { FRAME, frameOf, framesOf } from '../../platform/exec-frames.ts'
import { quote } from './isolation.ts'
import { systemProgram } from './programs.ts'

/** What is run, and where; `terminal`: `[rows, columns]` of one it gets, or null. */
export interface Session {
  argv: readonly string[]
  env: Record<string, string>
  cwd: string
  terminal: readonly [number, number] | null
}

/** What a command whose caller went away gets between SIGHUP and SIGKILL. */
const GRACE_MS = 5000

/**
 * Runs a command beside a task for somebody on another machine: frames in, frames out (`exec-frames.ts`), until it ends or the caller goes
 * away. A terminal is made by util-linux's `script`, since Node has none. Throws UNAVAILABLE where that is missing, before anything runs.
 */
export async function runSession({ argv, env, cwd, terminal }: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [program = '', ...words] = terminal === null ? argv : inTerminal(argv, terminal)
  const child = spawn(program, words, { env, cwd, stdio: 'pipe', detached: true })
  const ended = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      response.write(frameOf(FRAME.err, `muster: ${error.message}\n`))
      resolve(127)
    })
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
  response.writeHead(200, { 'content-type': 'application/octet-stream' })
  response.flushHeaders()
  response.once('close', () => leave(child))
  child.stdin.on('error', () => {})
  copy(child, 'stdout', response)
  copy(child, 'stderr', response)
  void follow(child, request)
  const code = await ended
  response.end(frameOf(FRAME.exit, String(code)))
}

function inTerminal(argv: readonly string[], [rows, columns]: readonly [number, number]): string[] {
  const script = systemProgram('script')
  if (script === null) throw refuse('UNAVAILABLE', 'a terminal needs the program script (util-linux) on the machine of the task')
  const command = argv.map(quote).join(' ')
  return [script, '-qfec', `stty rows ${rows} cols ${columns}; exec ${command}`, '/dev/null']
}

function copy(child: ChildProcess, name: 'stdout' | 'stderr', response: ServerResponse): void {
  const stream = child[name]
  stream?.on('data', (bytes: Buffer) => {
    if (response.write(frameOf(name === 'stdout' ? FRAME.out : FRAME.err, bytes))) return
    stream.pause()
    response.once('drain', () => stream.resume())
  })
}

/** What the caller types and does. */
async function follow(child: ChildProcess, request: IncomingMessage): Promise<void> {
  try {
    for await (const { kind, rest } of framesOf(request)) {
      if (kind === FRAME.input && rest.length === 0) child.stdin?.end()
      else if (kind === FRAME.input) child.stdin?.write(rest)
      else if (kind === FRAME.size) resize(child, rest.toString())
      else if (kind === FRAME.signal) send(child, rest.toString() as NodeJS.Signals)
    }
  } catch {
    // The caller went away, which the answer's end says too.
  }
}

/** Puts the new size on the terminal that `script` made, which tells whoever runs in it. */
function resize(child: ChildProcess, text: string): void {
  const [rows, columns] = JSON.parse(text) as [number, number]
  try {
    const inner = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0]
    const terminal = readlinkSync(`/proc/${inner}/fd/0`)
    execFile('stty', ['-F', terminal, 'rows', String(Math.trunc(rows)), 'cols', String(Math.trunc(columns))], () => {})
  } catch {
    // It has no terminal (any more): nothing has a size.
  }
}

function send(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null || !(signal in constants.signals)) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It ended in this moment.
  }
}

function leave(child: ChildProcess): void {
  send(child, 'SIGHUP')
  setTimeout(() => send(child, 'SIGKILL'), GRACE_MS).unref()
}
