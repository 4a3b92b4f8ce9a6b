import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document, type YAMLError } from 'yaml'
import type { ErrorCode } from '../../core/kernel/error-table.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { readBytes } from './bytes.ts'

/** One thing wrong with a file, where it stands. */
export interface FileIssue {
  file: string
  line: number
  column: number
  message: string
}

export type Path = readonly (string | number)[]

/** A YAML (or JSON) text, and the way from a path in it to its line. */
export interface YamlFile {
  /** as messages call it */
  file: string
  yaml: Document
  /** what is wrong with its form; of such a file nothing else can be said */
  syntax: FileIssue[]
  /** @param key an entry of the map the path leads to, for what is wrong with a key itself */
  issue: (path: Path, message: string, key?: string) => FileIssue
}

/** The text of a file, `-` being standard input. @throws MusterError FILE_UNREADABLE */
export function readText(path: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(readBytes(path))
}

/** {@link readText}, parsed. */
export function readYaml(path: string): YamlFile {
  return yamlFile(readText(path), path === '-' ? '<stdin>' : path)
}

/** A text as a document with places; `file` is only for messages. */
export function yamlFile(text: string, file: string): YamlFile {
  const lines = new LineCounter()
  const yaml = parseDocument(text, { lineCounter: lines, merge: true })
  return {
    file,
    yaml,
    syntax: yaml.errors.map((error) => {
      const { line, col } = error.linePos?.[0] ?? { line: 1, col: 1 }
      return { file, line, column: col, message: syntaxMessage(error) }
    }),
    issue: (path, message, key) => ({ file, ...placeOf(yaml, lines, path, key), message }),
  }
}

/** A text as a document, where only its form can be wrong. @throws MusterError `code`, with line and column */
export function parseYaml(text: string, file: string, code: ErrorCode): Document {
  const { yaml, syntax } = yamlFile(text, file)
  if (syntax.length > 0) throw issuesError(code, syntax)
  return yaml
}

/** Everything that is wrong with a file as one error, in the order of its lines. */
export function issuesError(code: ErrorCode, issues: readonly FileIssue[], hint?: string): MusterError {
  const sorted = issues.toSorted((a, b) => a.line - b.line || a.column - b.column)
  return new MusterError(code, sorted.map(issueText).join('\n  '), { details: { issues: sorted }, ...(hint === undefined ? {} : { hint }) })
}

/** `job.yaml:12:5 unknown key` */
export const issueText = ({ file, line, column, message }: FileIssue): string => `${file}:${line}:${column} ${message}`

/** What the parser says, without its excerpt and its own words for the place. */
export function syntaxMessage(error: YAMLError): string {
  return error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? 'not YAML'
}

/** Where a path leads: to its key, to its value, or to the nearest thing around it that is in the file. */
export function placeOf(yaml: Document, lines: LineCounter, path: Path, key?: string): { line: number; column: number } {
  const offset = (key === undefined ? undefined : keyOffset(yaml, path, key)) ?? valueOffset(yaml, path)
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function nodeAt(yaml: Document, path: Path): unknown {
  return path.length === 0 ? yaml.contents : yaml.getIn(path, true)
}

function keyOffset(yaml: Document, path: Path, key: string): number | undefined {
  const parent = nodeAt(yaml, path)
  if (!isMap(parent)) return undefined
  const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
  return pair && isScalar(pair.key) ? pair.key.range?.[0] : undefined
}

function valueOffset(yaml: Document, path: Path): number {
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
