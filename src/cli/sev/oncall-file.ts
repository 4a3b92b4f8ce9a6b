import { readFileSync } from 'node:fs'
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml'
import { MusterError } from '../../core/kernel/errors.ts'
import type { Problem } from '../../core/sev/schedule/compile.ts'
import { OncallSchema, type Oncall } from '../../core/sev/schema.ts'

/** An on-call file as it was read, and the way from a path in it to its line. */
export interface OncallFile {
  document: Oncall
  name: string
  /** `oncall.yaml:12:5 nobody is called zoe` */
  place: (problem: Pick<Problem, 'path' | 'message'>) => PlacedProblem
}

export interface PlacedProblem {
  file: string
  line: number
  column: number
  message: string
}

export const placedText = ({ file, line, column, message }: PlacedProblem): string => `${file}:${line}:${column} ${message}`

/** What is wrong with a file, all at once. */
export function scheduleError(problems: PlacedProblem[], hint?: string): MusterError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  return new MusterError('SEV_SCHEDULE', sorted.map(placedText).join('\n  '), {
    details: { problems: sorted },
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Start of the key a path ends in. */
function keyOffset(yaml: Document, path: readonly (string | number)[]): number | null {
  const parent = path.length <= 1 ? yaml.contents : yaml.getIn(path.slice(0, -1), true)
  if (!isMap(parent)) return null
  const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(path.at(-1)))
  return pair && isScalar(pair.key) && pair.key.range ? pair.key.range[0] : null
}

/** Start of what a path leads to; of a thing that is missing, the key of the map it is missing in. */
function offsetOf(yaml: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = yaml.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return (length < path.length ? keyOffset(yaml, path.slice(0, length)) : null) ?? node.range[0]
  }
  return 0
}

/**
 * Reads an on-call file (YAML or JSON; `-`: standard input) and checks its form.
 * @throws MusterError FILE_UNREADABLE, SEV_SCHEDULE with `file:line:column` of each problem
 */
export function loadOncallFile(path: string): OncallFile {
  let text: string
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (cause) {
    throw new MusterError(
      'FILE_UNREADABLE',
      `${path}: ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`,
      { cause },
    )
  }
  return parseOncallFile(text, path === '-' ? '<stdin>' : path)
}

/** {@link loadOncallFile} of a text; `name` is for messages. */
export function parseOncallFile(text: string, name: string): OncallFile {
  const lines = new LineCounter()
  const yaml = parseDocument(text, { lineCounter: lines, merge: true })
  const placeAt = (offset: number, message: string): PlacedProblem => {
    const { line, col } = lines.linePos(offset)
    return { file: name, line: Math.max(1, line), column: Math.max(1, col), message }
  }
  const place: OncallFile['place'] = ({ path, message }) => placeAt(offsetOf(yaml, path), message)
  if (yaml.errors.length > 0) {
    throw scheduleError(
      yaml.errors.map((error) => {
        const at = error.linePos?.[0] ?? { line: 1, col: 1 }
        return {
          file: name,
          line: at.line,
          column: at.col,
          message: error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? 'not YAML',
        }
      }),
    )
  }
  const parsed = OncallSchema.safeParse(yaml.toJS())
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => {
      const at = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
      // Of an unknown key the key itself is the place, not the map around it.
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => placeAt(keyOffset(yaml, [...at, key]) ?? 0, `unknown key "${key}"`))
      return [place({ path: at, message: issue.message })]
    })
    throw scheduleError(problems)
  }
  return { document: parsed.data, name, place }
}
