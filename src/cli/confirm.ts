import { MusterError } from '../core/kernel/errors.ts'

export interface Streams {
  stdin: NodeJS.ReadStream
  stderr: NodeJS.WriteStream
}

/** y/N, asked on a terminal; in scripts `--yes` answers. Rejects with CONFIRM_REQUIRED. Never a default yes. */
export async function confirmYes(question: string, isYes: boolean, streams: Streams): Promise<void> {
  if (isYes) return
  if (!streams.stdin.isTTY)
    throw new MusterError('CONFIRM_REQUIRED', `${question} Nobody is there to ask.`, {
      hint: 'Add --yes to do it, or --plan to see what it would do.',
    })
  const answer = await ask(`${question} [y/N] `, streams)
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new MusterError('CONFIRM_REQUIRED', 'Not confirmed; nothing was changed.', {
      hint: 'Answer y, or see what it would do with --plan.',
    })
}

/** The target's name, typed on a terminal or given by `--confirm NAME`. Gives the name; rejects with CONFIRM_REQUIRED. */
export async function confirmName(what: string, name: string, given: string | undefined, streams: Streams): Promise<string> {
  if (given === name) return name
  if (given !== undefined)
    throw new MusterError('CONFIRM_REQUIRED', `--confirm says "${given}", but this is about "${name}".`, {
      hint: `Add --confirm ${name} if that is what you mean.`,
    })
  if (!streams.stdin.isTTY)
    throw new MusterError('CONFIRM_REQUIRED', `${what} This needs the name "${name}" confirmed.`, {
      hint: `Add --confirm ${name} if that is what you mean.`,
    })
  const answer = await ask(`${what}\nType ${name} to go on: `, streams)
  if (answer.trim() !== name)
    throw new MusterError('CONFIRM_REQUIRED', 'The name does not match; nothing was changed.', {
      hint: `Type ${name} exactly, or use --confirm ${name}.`,
    })
  return name
}

async function ask(prompt: string, streams: Streams): Promise<string> {
  // On stderr: stdout carries the answer of the command.
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: streams.stdin, output: streams.stderr })
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    return await Promise.race([lines.question(prompt), closed])
  } finally {
    lines.close()
  }
}
