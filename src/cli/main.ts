import { MusterError } from '../core/kernel/errors.ts'
import { reportFailure, type FailureContext } from './failure.ts'
import { schemaName } from './output.ts'
import type { CommandInfo } from './render/help.ts'
import { resolveCommand } from './resolve.ts'
import { runCommand, type CommandClass } from './run-command.ts'

export interface Program {
  version: string
  /** ids of all commands, `tw:job:run` */
  ids: readonly string[]
  /** the class of a command; its module is loaded only now */
  load: (id: string) => Promise<CommandClass>
  /** all commands as help prints them */
  describe: () => Promise<CommandInfo[]>
}

/**
 * Runs one command line. oclif parses and describes commands; finding the command, help, guesses and errors are ours,
 * so that all of them speak every output format. Sets process.exitCode; never rejects.
 */
export async function main(argv: string[], program: Program): Promise<void> {
  const context: FailureContext = { argv, version: program.version, schema: 'muster/1', flags: [] }
  quietPipes()
  try {
    await dispatch(argv, program, context)
  } catch (error) {
    process.exitCode = reportFailure(error, context)
  }
}

async function dispatch(argv: string[], program: Program, context: FailureContext): Promise<void> {
  const wants = wantsHelp(argv)
  const words = argv[0] === 'help' ? argv.slice(1) : argv
  const found = words.length === 0 ? null : resolveCommand(words, program.ids)
  // A plugin answers its own --help.
  if (found?.kind === 'unknown' && argv[0] !== 'help') return unknownCommand(found, argv)
  if (found === null || wants || argv[0] === 'help' || found.kind === 'topic') {
    const { showHelp } = await import('./help.ts')
    return showHelp(words, found, program)
  }
  if (found.kind === 'unknown') return
  context.schema = schemaName(found.id.replaceAll(':', '.'))
  context.command = found.id.replaceAll(':', ' ')
  const command = await program.load(found.id)
  context.flags = Object.keys({ ...command.baseFlags, ...command.flags })
  await runCommand(command, found.id, found.argv, program.version)
}

function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === '--help' || word === '-h')
}

async function unknownCommand(found: { typed: string; guesses: string[] }, argv: string[]): Promise<void> {
  const { runPlugin } = await import('./plugin.ts')
  if (await runPlugin(argv)) return
  const hint =
    found.guesses.length > 0
      ? `Did you mean ${found.guesses.map((name) => `\`muster ${name}\``).join(' or ')}? Nothing was run.`
      : 'See `muster help` for all commands.'
  throw new MusterError('USAGE', `there is no command \`muster ${found.typed}\``, { hint })
}

/** A reader that closes its end (`| head`) ends us quietly. */
function quietPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit(Number(process.exitCode ?? 0))
    })
  }
}

/** Ids of the command files below a folder, for running from the sources. */
export function commandIds(files: readonly string[]): string[] {
  return files
    .filter((file) => /\.(ts|js)$/.test(file) && !file.endsWith('.d.ts'))
    .map((file) =>
      file
        .replace(/\.(ts|js)$/, '')
        .replaceAll('/', ':')
        .replace(/(^|:)index$/, ''),
    )
    .filter((id) => id !== '')
    .sort()
}
