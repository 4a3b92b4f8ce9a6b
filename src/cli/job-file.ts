import { readFileSync } from 'node:fs'
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml'
import { MusterError } from '../core/kernel/errors.ts'
import { jobSpecOf, type JobSpec, type SpecIssue } from '../core/tw/job-spec.ts'

export interface JobFile {
  /** as it stands in the file, after `--set` */
  document: Record<string, unknown>
  spec: JobSpec
}

/** One thing wrong with a file, where it stands. */
export interface FileIssue {
  file: string
  line: number
  column: number
  message: string
}

/**
 * Reads and checks a job file (`-`: standard input). Everything wrong with it is told at once, as `file:line:column what`.
 * @param sets `path=value`, each laid over the document: `groups.api.count=8`
 * @throws MusterError FILE_UNREADABLE, TW_SPEC_INVALID (details: `{issues: FileIssue[]}`)
 */
export function loadJobFile(path: string, sets: readonly string[] = []): JobFile {
  return parseJobFile(readText(path), path === '-' ? '<stdin>' : path, sets)
}

/** {@link loadJobFile} of a text; `file` is only for messages. */
export function parseJobFile(text: string, file: string, sets: readonly string[] = []): JobFile {
  const lines = new LineCounter()
  const yaml = parseYaml(text, file, lines)
  for (const set of sets) applySet(yaml, set)
  const document: unknown = yaml.toJS()
  if (document === null || typeof document !== 'object' || Array.isArray(document)) {
    throw invalid([{ file, line: 1, column: 1, message: 'a job file is a map that begins with `job: NAME`' }])
  }
  const result = jobSpecOf(document)
  if (!result.ok) throw invalid(result.issues.map((issue) => ({ file, ...placeOf(yaml, lines, issue), message: issue.message })))
  return { document: document as Record<string, unknown>, spec: result.spec }
}

/** YAML (or JSON) to a document; its syntax errors carry line and column. */
export function parseYaml(
  text: string,
  file: string,
  lines: LineCounter = new LineCounter(),
  code: 'TW_SPEC_INVALID' | 'TW_COMPOSE_INVALID' = 'TW_SPEC_INVALID',
): Document {
  const yaml = parseDocument(text, { lineCounter: lines, merge: true })
  if (yaml.errors.length === 0) return yaml
  throw invalid(
    yaml.errors.map((error) => {
      const place = error.linePos?.[0] ?? { line: 1, col: 1 }
      return {
        file,
        line: place.line,
        column: place.col,
        message: error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? 'not YAML',
      }
    }),
    code,
  )
}

export function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (cause) {
    throw new MusterError(
      'FILE_UNREADABLE',
      `${path}: ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`,
      { cause },
    )
  }
}

function invalid(issues: FileIssue[], code: 'TW_SPEC_INVALID' | 'TW_COMPOSE_INVALID' = 'TW_SPEC_INVALID'): MusterError {
  const sorted = issues.sort((a, b) => a.line - b.line || a.column - b.column)
  return new MusterError(code, sorted.map((issue) => `${issue.file}:${issue.line}:${issue.column} ${issue.message}`).join('\n  '), {
    details: { issues: sorted },
  })
}

/** Where an issue stands: at its key, at its value, or at the nearest thing around it that is in the file. */
function placeOf(yaml: Document, lines: LineCounter, issue: SpecIssue): { line: number; column: number } {
  const offset = (issue.key === undefined ? undefined : keyOffset(yaml, issue.path, issue.key)) ?? valueOffset(yaml, issue.path)
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function nodeAt(yaml: Document, path: readonly (string | number)[]): unknown {
  return path.length === 0 ? yaml.contents : yaml.getIn(path, true)
}

function keyOffset(yaml: Document, path: readonly (string | number)[], key: string): number | undefined {
  const parent = nodeAt(yaml, path)
  if (!isMap(parent)) return undefined
  const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
  return pair && isScalar(pair.key) ? pair.key.range?.[0] : undefined
}

function valueOffset(yaml: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = nodeAt(yaml, path.slice(0, length))
    if (isNode(node) && node.range) {
      // Of a thing that is missing in a map, the key of that map is the better place than its first entry.
      const key = length < path.length && length > 0 ? keyOffset(yaml, path.slice(0, length - 1), String(path[length - 1])) : undefined
      return key ?? node.range[0]
    }
  }
  return 0
}

/** `groups.api.count=8`: the value is read as YAML, so numbers stay numbers. */
function applySet(yaml: Document, set: string): void {
  const cut = set.indexOf('=')
  if (cut <= 0)
    throw new MusterError('USAGE', `--set "${set}" is not of the form PATH=VALUE`, { hint: 'For example --set groups.api.count=8' })
  const path = set.slice(0, cut).split('.')
  for (let length = 1; length < path.length; length += 1) {
    const node = yaml.getIn(path.slice(0, length), true)
    if (node !== undefined && !isMap(node))
      throw new MusterError('USAGE', `--set "${set}": ${path.slice(0, length).join('.')} is not a map`)
  }
  yaml.setIn(path, parseYaml(set.slice(cut + 1), '--set').toJS())
}
