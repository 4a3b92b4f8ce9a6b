import { alertRuleSchema } from '../../core/scuba/alert/rule.ts'
import { loadDocuments } from './documents.ts'

/** The alert rules of a file (`-`: standard input). @throws MusterError FILE_UNREADABLE, SCUBA_ALERT_INVALID */
export const loadAlertFile = (file: string) => loadDocuments(file, alertRuleSchema, 'SCUBA_ALERT_INVALID', 'rule')
