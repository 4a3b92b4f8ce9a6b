import { MusterError, type ErrorBody } from '../core/kernel/errors.ts'

export const FORMATS = ['table', 'wide', 'name', 'yaml', 'json', 'jsonl'] as const
export type Format = (typeof FORMATS)[number]

/** What every machine-readable answer looks like; `schema` is `muster.<operation>/1`. */
export interface Envelope<T = unknown> {
  schema: string
  ok: boolean
  data?: T
  warnings?: string[]
  error?: ErrorBody
}

export function success(schema: string, data: unknown, warnings: readonly string[]): Envelope {
  return { schema, ok: true, data, warnings: [...warnings] }
}

export function failure(schema: string, error: ErrorBody): Envelope {
  return { schema, ok: false, error }
}

/** `tw.job.run` → `muster.tw.job.run/1` */
export function schemaName(operation: string): string {
  return `muster.${operation}/1`
}

/** Whether errors go out as an envelope in this format. */
export function isMachine(format: Format): boolean {
  return format === 'json' || format === 'jsonl' || format === 'yaml'
}

/**
 * The format a command line asks for, read before it is parsed: an unknown flag must be reported in it too.
 * `--json` is `-o json`; what stands after `--` belongs to somebody else.
 */
export function formatOf(argv: readonly string[], fallback: string): Format {
  const end = argv.indexOf('--')
  const own = end < 0 ? argv : argv.slice(0, end)
  let format = fallback
  own.forEach((word, i) => {
    if (word === '--json') format = 'json'
    else if (word === '-o' || word === '--output') format = own[i + 1] ?? format
    else if (word.startsWith('--output=')) format = word.slice('--output='.length)
    else if (word.startsWith('-o') && !word.startsWith('--')) format = word.slice(2).replace(/^=/, '')
  })
  return (FORMATS as readonly string[]).includes(format) ? (format as Format) : 'table'
}

export function toFormat(text: string, origin: string): Format {
  if ((FORMATS as readonly string[]).includes(text)) return text as Format
  throw new MusterError('USAGE', `"${text}" (${origin}) is not an output format`, { hint: `Use one of ${FORMATS.join(', ')}.` })
}

/** The rows of an answer: itself if a list, its only list if it has exactly one, else the whole as one row. */
export function rowsOf(data: unknown): unknown[] {
  if (Array.isArray(data)) return data
  if (data !== null && typeof data === 'object') {
    const lists = Object.values(data).filter((value) => Array.isArray(value))
    if (lists.length === 1) return lists[0] as unknown[]
  }
  return data === null || data === undefined ? [] : [data]
}

const NAME_KEYS = ['name', 'task', 'id', 'rollout', 'run', 'job', 'node', 'key', 'number']

/** The name of a row, for `-o name`. */
export function nameOf(row: unknown): string {
  if (row === null || typeof row !== 'object') return String(row)
  for (const key of NAME_KEYS) {
    const value = (row as Record<string, unknown>)[key]
    if (typeof value === 'string' || typeof value === 'number') return String(value)
  }
  return JSON.stringify(row)
}

/** The answer as text in a machine format or as names; a table is the command's own matter. */
export async function format(
  kind: Exclude<Format, 'table' | 'wide'>,
  schema: string,
  data: unknown,
  warnings: readonly string[],
): Promise<string> {
  switch (kind) {
    case 'json':
      return JSON.stringify(success(schema, data, warnings), null, 2)
    case 'jsonl':
      return rowsOf(data)
        .map((row) => JSON.stringify(row))
        .join('\n')
    case 'name':
      return rowsOf(data).map(nameOf).join('\n')
    case 'yaml': {
      const { stringify } = await import('yaml')
      return stringify(success(schema, data, warnings)).trimEnd()
    }
  }
}
