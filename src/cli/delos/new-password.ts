import { createInterface } from 'node:readline'
import { MusterError } from '../../core/kernel/errors.ts'
import type { Streams } from '../confirm.ts'

/** A password that is given, or asked for twice on a terminal without showing it, or the first line of standard input. */
export async function newPassword(name: string, given: string | undefined, streams: Streams): Promise<string> {
  if (given !== undefined) return given
  if (!streams.stdin.isTTY) return firstLine(streams.stdin)
  const first = await hidden(`Password of ${name}: `, streams)
  const again = await hidden('The same again: ', streams)
  if (first !== again) throw new MusterError('USAGE', 'the two passwords differ; nothing was changed')
  return checked(first)
}

async function firstLine(stdin: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stdin })) return checked(line)
  return checked('')
}

function checked(password: string): string {
  if (password !== '') return password
  throw new MusterError('USAGE', 'no password was given', { hint: 'Give NAME:PASSWORD, or the password as a line of standard input.' })
}

async function hidden(prompt: string, { stdin, stderr }: Streams): Promise<string> {
  stderr.write(prompt)
  // What is typed is echoed by the terminal unless it is raw, and then editing is ours: readline does both to nowhere.
  const { Writable } = await import('node:stream')
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => reject(new MusterError('CONFIRM_REQUIRED', 'Nothing was changed.')))
    })
  } finally {
    lines.close()
    stderr.write('\n')
  }
}
