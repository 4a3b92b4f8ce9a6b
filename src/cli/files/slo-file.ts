import { sloFileSchema } from '../../core/scuba/slo/file.ts'
import { loadDocuments } from './documents.ts'

/** The service objectives of a file (`-`: standard input). @throws MusterError FILE_UNREADABLE, SCUBA_SLO_INVALID */
export const loadSloFile = (file: string) => loadDocuments(file, sloFileSchema, 'SCUBA_SLO_INVALID', 'SLO')
