import type { z } from 'zod'
import { alertRuleSchema } from '../../core/scuba/alert/rule.ts'
import { loadListedFile } from './listed-file.ts'

/** The alert rules of a file. @throws MusterError FILE_UNREADABLE, SCUBA_ALERT_INVALID with line and column of the first fault */
export function loadAlertFile(file: string): z.input<typeof alertRuleSchema>[] {
  return loadListedFile(file, { schema: alertRuleSchema, code: 'SCUBA_ALERT_INVALID', noun: 'rule' })
}
