import { MusterError } from '../core/kernel/errors.ts'
import type { Program } from './main.ts'
import { HELP_TOPICS, renderCommandHelp, renderTopicHelp } from './render/help.ts'
import { guess, type Resolution } from './resolve.ts'
import { viewOf } from './terminal.ts'

/** Help for a command, a topic, a page, or all of it, on stdout. Throws USAGE for what does not exist. */
export async function showHelp(words: readonly string[], found: Resolution | null, program: Program): Promise<void> {
  const names = words.filter((word) => !word.startsWith('-'))
  const page = names.length === 1 ? HELP_TOPICS[names[0] ?? ''] : undefined
  const text = page ?? (await describe(names, found, program))
  process.stdout.write(`${text}\n`)
}

async function describe(names: readonly string[], found: Resolution | null, program: Program): Promise<string> {
  const view = viewOf(process.stdout, { noColor: false, isWide: false })
  const commands = (await program.describe()).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  if (names.length === 0 || found === null) return renderTopicHelp('', commands, view)
  if (found.kind === 'topic') return renderTopicHelp(found.id, commands, view)
  if (found.kind === 'command') {
    const command = commands.find(({ id }) => id === found.id)
    if (command !== undefined) return renderCommandHelp(command, view)
  }
  const typed = names.join(' ')
  const near = guess(typed, [...program.ids, ...Object.keys(HELP_TOPICS)])
  const hint =
    near.length > 0 ? `Did you mean ${near.map((name) => `\`muster help ${name}\``).join(' or ')}?` : 'See `muster help` for all commands.'
  throw new MusterError('USAGE', `there is no help for \`${typed}\``, { hint })
}
