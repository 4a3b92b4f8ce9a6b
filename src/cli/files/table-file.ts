import { declarationSchema } from '../../core/scuba/declared/declaration.ts'
import { loadDocuments } from './documents.ts'

/** The tables a file declares (`-`: standard input). @throws MusterError FILE_UNREADABLE, SCUBA_SCHEMA_INVALID */
export const loadTableFile = (file: string) => loadDocuments(file, declarationSchema, 'SCUBA_SCHEMA_INVALID', 'table')
