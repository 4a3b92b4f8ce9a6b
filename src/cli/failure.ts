import { stripVTControlCharacters } from 'node:util'
import { EXIT, MusterError, type ErrorBody } from '../core/kernel/errors.ts'
import { failure, formatOf, isMachine } from './output.ts'
import { renderBug, renderError } from './render/error.ts'
import { viewOf } from './terminal.ts'

interface OclifError extends Error {
  oclif?: { exit?: number }
  parse?: unknown
  code?: string
  flags?: string[]
}

export interface FailureContext {
  argv: readonly string[]
  version: string
  /** `muster.tw.ps/1`, or of the command as far as it is known */
  schema: string
  /** `tw ps`, as far as it is known */
  command?: string
  /** names of the flags of the command, for guesses */
  flags: readonly string[]
}

/** Prints an error in the form the command line asked for and gives the exit code. The one place that does. */
export function reportFailure(error: unknown, context: FailureContext): number {
  if (isQuietExit(error)) return quietExitCode(error)
  const body = bodyOf(error, context)
  const format = formatOf(context.argv, process.env['MUSTER_OUTPUT'] ?? 'table')
  if (isMachine(format)) {
    const envelope = failure(context.schema, body)
    process.stdout.write(`${format === 'jsonl' ? JSON.stringify(envelope) : JSON.stringify(envelope, null, 2)}\n`)
  }
  // People read stderr also when a script reads stdout; a bug always leaves its trace there.
  const view = viewOf(process.stderr, { noColor: context.argv.includes('--no-color'), isWide: false })
  if (body.exit === EXIT.bug && error instanceof Error && !(error instanceof MusterError)) {
    process.stderr.write(`${renderBug(view, error, context.version, context.argv.join(' '))}\n`)
  } else if (!isMachine(format)) process.stderr.write(`${renderError(view, body)}\n`)
  return body.exit
}

/** A reader that went away, and an end that a command chose, are not failures to talk about. */
function isQuietExit(error: unknown): error is OclifError {
  const code = (error as OclifError | null)?.code
  return code === 'EPIPE' || code === 'EEXIT' || (error as Error | null)?.name === 'AbortError'
}

function quietExitCode(error: OclifError): number {
  if (error.code === 'EEXIT') return error.oclif?.exit ?? 0
  return Number(process.exitCode ?? 0)
}

function bodyOf(error: unknown, context: FailureContext): ErrorBody {
  if (error instanceof MusterError) return error.toJSON()
  const usage = error as OclifError
  if (usage?.oclif !== undefined && usage.parse !== undefined) return usageBody(usage, context)
  const message = error instanceof Error ? error.message : String(error)
  return new MusterError('INTERNAL', message).toJSON()
}

/** What oclif's parser refuses, in our words: without its headlines, its appendix and its Config object. */
function usageBody(error: OclifError, context: FailureContext): ErrorBody {
  const near = (error.flags ?? []).flatMap((flag) => nearFlags(flag, context.flags))
  const hint =
    near.length > 0
      ? `Did you mean ${near.join(' or ')}? Nothing was run.`
      : context.command === undefined
        ? 'Run the command with --help.'
        : `See \`muster ${context.command} --help\`.`
  return new MusterError('USAGE', plainUsage(stripVTControlCharacters(error.message)), { hint }).toJSON()
}

function plainUsage(message: string): string {
  const [text = message] = message.split(/\n(?:See more help|\nNote: )/)
  const missing = /^Missing \d+ required args?:\n([^]*)$/.exec(text)?.[1]
  if (missing !== undefined) return missing.trim().split('\n').map(missingArg).join('; ')
  return text
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/Missing required flag (\S+)/g, '--$1 is missing')
    .replace(/^Nonexistent flags?:/, 'unknown flag')
    .replace(/^Parsing (--\S+)\s+/, '$1: ')
    .replace(/^(Unexpected|Expected)/, (word) => word.toLowerCase())
    .trim()
}

/** `count  how many tasks` → `COUNT is missing (how many tasks)` */
function missingArg(line: string): string {
  const [name = '', ...words] = line.trim().split(/\s+/)
  return `${name.toUpperCase()} is missing${words.length > 0 ? ` (${words.join(' ')})` : ''}`
}

function nearFlags(flag: string, known: readonly string[]): string[] {
  const bare = flag.replace(/^-+/, '').split('=')[0] ?? ''
  const near = known.filter((name) => name.startsWith(bare) || bare.startsWith(name) || sameLetters(name, bare))
  return near.slice(0, 2).map((name) => `--${name}`)
}

/** A typo keeps nearly all letters: at most one more or less of each. */
function sameLetters(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1 || a[0] !== b[0]) return false
  const rest = [...b]
  const missing = [...a].filter((letter) => {
    const at = rest.indexOf(letter)
    if (at >= 0) rest.splice(at, 1)
    return at < 0
  })
  return missing.length + rest.length <= 2
}
