import { MusterError } from '../core/kernel/errors.ts'
import { FRAME, frameOf, framesOf } from '../platform/exec-frames.ts'
import { textOf } from '../platform/streams.ts'
import type { Client } from './client.ts'

/** Runs a command beside a task on another machine, on this terminal; gives its exit code. */
export async function execRemotely(client: Client, task: string, words: readonly string[]): Promise<number> {
  const { stdin, stdout } = process
  const isTerminal = stdin.isTTY && stdout.isTTY
  const query = new URLSearchParams({ task })
  for (const word of words) query.append('word', word)
  if (isTerminal) query.set('size', JSON.stringify([stdout.rows, stdout.columns]))
  const up = upstream(isTerminal)
  try {
    const response = await client.request('POST', `/v1/tw/run?${query}`, {
      headers: { 'content-type': 'application/octet-stream' },
      body: up.frames(),
    })
    if (response.statusCode !== 200) throw refusalOf(await textOf(response), response.statusCode ?? 0)
    for await (const { kind, rest } of framesOf(response)) {
      if (kind === FRAME.out) stdout.write(rest)
      else if (kind === FRAME.err) process.stderr.write(rest)
      else if (kind === FRAME.exit) return Number(rest.toString())
    }
    throw new MusterError('UNAVAILABLE', 'the connection to the node was lost; the command there is ended')
  } finally {
    up.end()
  }
}

function refusalOf(text: string, status: number): MusterError {
  try {
    const { error } = JSON.parse(text) as { error: { code: 'UNAVAILABLE'; message: string; hint?: string } }
    return new MusterError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint })
  } catch {
    return new MusterError('UNAVAILABLE', `the server answers ${status}: ${text.slice(0, 200)}`)
  }
}

/** What is typed, resized and signalled here, in order, until `end`. */
function upstream(isTerminal: boolean): { frames: () => AsyncGenerator<Buffer>; end: () => void } {
  const { stdin, stdout } = process
  const queue: Buffer[] = []
  let isOver = false
  let wake = (): void => {}
  const put = (frame: Buffer): void => {
    queue.push(frame)
    wake()
  }
  const onData = (bytes: Buffer): void => put(frameOf(FRAME.input, bytes))
  const onEnd = (): void => put(frameOf(FRAME.input))
  const onResize = (): void => put(frameOf(FRAME.size, JSON.stringify([stdout.rows, stdout.columns])))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const onSignal = (signal: NodeJS.Signals): void => put(frameOf(FRAME.signal, signal))
  stdin.on('data', onData)
  stdin.once('end', onEnd)
  if (isTerminal) {
    stdin.setRawMode(true)
    stdout.on('resize', onResize)
  }
  for (const signal of signals) process.on(signal, onSignal)
  return {
    frames: async function* frames() {
      while (!isOver) {
        while (queue.length > 0) yield queue.shift() as Buffer
        if (!isOver) await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    end: () => {
      isOver = true
      wake()
      stdin.off('data', onData).off('end', onEnd).pause()
      if (isTerminal) {
        stdin.setRawMode(false)
        stdout.off('resize', onResize)
      }
      for (const signal of signals) process.off(signal, onSignal)
    },
  }
}
