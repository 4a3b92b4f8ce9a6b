import { readFileSync } from 'node:fs'
import { LineCounter, parseDocument, type Document } from 'yaml'
import { lintExperiment, type SpecIssue } from '../core/chaos/spec/lint.ts'
import { MusterError } from '../core/kernel/errors.ts'

export interface LintedFile {
  file: string
  experiment: unknown
  issues: { line: number; column: number; path: string; message: string }[]
}

/** Reads an experiment file, YAML or JSON, and says everything that is wrong with it, with line and column. */
export function lintFile(file: string): LintedFile {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new MusterError('FILE_UNREADABLE', `${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const syntax = document.errors.map((error) => ({
    line: error.linePos?.[0].line ?? 1,
    column: error.linePos?.[0].col ?? 1,
    path: '',
    message: error.message.split('\n')[0] ?? '',
  }))
  if (syntax.length > 0) return { file, experiment: null, issues: syntax }
  const experiment = document.toJS() as unknown
  const issues = lintExperiment(experiment).map((issue) => ({
    ...placeOf(document, lines, issue),
    path: issue.path.join('.'),
    message: issue.message,
  }))
  return { file, experiment, issues }
}

/** The same, for a command that needs it right. */
export function readExperimentFile(file: string): Record<string, unknown> {
  const { experiment, issues } = lintFile(file)
  const first = issues[0]
  if (first === undefined) return experiment as Record<string, unknown>
  const text = issues.map(({ line, column, path, message }) => `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`)
  throw new MusterError('CHAOS_SPEC', text.join('\n'), { details: { issues } })
}

/** Where in the file the deepest part of the path that exists begins. */
function placeOf(document: Document, lines: LineCounter, issue: SpecIssue): { line: number; column: number } {
  for (let depth = issue.path.length; depth >= 0; depth -= 1) {
    const node = depth === 0 ? document.contents : document.getIn(issue.path.slice(0, depth), true)
    const range = (node as { range?: [number, number, number] } | null | undefined)?.range
    if (range) {
      const at = lines.linePos(range[0])
      return { line: at.line, column: at.col }
    }
  }
  return { line: 1, column: 1 }
}
