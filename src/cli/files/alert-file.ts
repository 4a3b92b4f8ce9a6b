import { LineCounter, parseAllDocuments } from 'yaml'
import type { z } from 'zod'
import { MusterError } from '../../core/kernel/errors.ts'
import { alertRuleSchema } from '../../core/scuba/alert/rule.ts'
import { placeOf, readText, syntaxMessage, type Path } from './yaml-file.ts'

/**
 * The rules of a file (`-`: standard input): one, a list of them, or several documents.
 * @throws MusterError FILE_UNREADABLE, SCUBA_ALERT_INVALID with line and column of the first fault
 */
export function loadAlertFile(file: string): z.input<typeof alertRuleSchema>[] {
  const counter = new LineCounter()
  const documents = parseAllDocuments(readText(file), { lineCounter: counter })
  const rules: z.input<typeof alertRuleSchema>[] = []
  const invalid = (line: number, column: number, message: string): MusterError =>
    new MusterError('SCUBA_ALERT_INVALID', `${file}:${line}:${column}: ${message}`)
  for (const document of Array.isArray(documents) ? documents : []) {
    const broken = document.errors[0]
    if (broken) throw invalid(broken.linePos?.[0].line ?? 1, broken.linePos?.[0].col ?? 1, syntaxMessage(broken))
    const value: unknown = document.toJS()
    if (value === null) continue
    for (const [index, rule] of (Array.isArray(value) ? value : [value]).entries()) {
      const issue = alertRuleSchema.safeParse(rule).error?.issues[0]
      if (issue) {
        const { line, column } = placeOf(document, counter, [...(Array.isArray(value) ? [index] : []), ...issue.path] as Path)
        throw invalid(line, column, `${issue.path.join('.') || 'rule'}: ${issue.message}`)
      }
      rules.push(rule as z.input<typeof alertRuleSchema>)
    }
  }
  if (rules.length === 0) throw new MusterError('SCUBA_ALERT_INVALID', `${file} holds no rule`)
  return rules
}
