import { LineCounter, parseAllDocuments } from 'yaml'
import type { z } from 'zod'
import type { ErrorCode } from '../../core/kernel/error-table.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { placeOf, readText, syntaxMessage, type Path } from './yaml-file.ts'

/**
 * Everything a file holds (`-`: standard input), as its schema takes it: one thing, a list of them, or several documents.
 * @param what what one of them is called
 * @throws MusterError FILE_UNREADABLE, or `code` with line and column of the first fault
 */
export function loadDocuments<S extends z.ZodType>(file: string, schema: S, code: ErrorCode, what: string): z.input<S>[] {
  const counter = new LineCounter()
  const documents = parseAllDocuments(readText(file), { lineCounter: counter })
  const found: z.input<S>[] = []
  const invalid = (line: number, column: number, message: string): MusterError =>
    new MusterError(code, `${file}:${line}:${column}: ${message}`)
  for (const document of Array.isArray(documents) ? documents : []) {
    const broken = document.errors[0]
    if (broken) throw invalid(broken.linePos?.[0].line ?? 1, broken.linePos?.[0].col ?? 1, syntaxMessage(broken))
    const value: unknown = document.toJS()
    if (value === null) continue
    for (const [index, one] of (Array.isArray(value) ? value : [value]).entries()) {
      const issue = schema.safeParse(one).error?.issues[0]
      if (issue) {
        const { line, column } = placeOf(document, counter, [...(Array.isArray(value) ? [index] : []), ...issue.path] as Path)
        throw invalid(line, column, `${issue.path.join('.') || what}: ${issue.message}`)
      }
      found.push(one as z.input<S>)
    }
  }
  if (found.length === 0) throw new MusterError(code, `${file} holds no ${what}`)
  return found
}
