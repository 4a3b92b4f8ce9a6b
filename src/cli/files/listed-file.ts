import { LineCounter, parseAllDocuments } from 'yaml'
import type { z } from 'zod'
import type { ErrorCode } from '../../core/kernel/error-table.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { placeOf, readText, syntaxMessage, type Path } from './yaml-file.ts'

/**
 * The things of a YAML file (`-`: standard input), each of one schema: one, a list of them, or several documents.
 * @param noun what one of them is called in messages
 * @throws MusterError FILE_UNREADABLE, or `code` with line and column of the first fault
 */
export function loadListedFile<S extends z.ZodType>(
  file: string,
  { schema, code, noun }: { schema: S; code: ErrorCode; noun: string },
): z.input<S>[] {
  const counter = new LineCounter()
  const documents = parseAllDocuments(readText(file), { lineCounter: counter })
  const things: z.input<S>[] = []
  const invalid = (line: number, column: number, message: string): MusterError =>
    new MusterError(code, `${file}:${line}:${column}: ${message}`)
  for (const document of Array.isArray(documents) ? documents : []) {
    const broken = document.errors[0]
    if (broken) throw invalid(broken.linePos?.[0].line ?? 1, broken.linePos?.[0].col ?? 1, syntaxMessage(broken))
    const value: unknown = document.toJS()
    if (value === null) continue
    for (const [index, thing] of (Array.isArray(value) ? value : [value]).entries()) {
      const issue = schema.safeParse(thing).error?.issues[0]
      if (issue) {
        const { line, column } = placeOf(document, counter, [...(Array.isArray(value) ? [index] : []), ...issue.path] as Path)
        throw invalid(line, column, `${issue.path.join('.') || noun}: ${issue.message}`)
      }
      things.push(thing as z.input<S>)
    }
  }
  if (things.length === 0) throw new MusterError(code, `${file} holds no ${noun}`)
  return things
}
