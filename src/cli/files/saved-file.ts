import { boardSchema, savedSchema } from '../../core/scuba/saved/schema.ts'
import { loadDocuments } from './documents.ts'

/** The saved queries of a file (`-`: standard input). @throws MusterError FILE_UNREADABLE, SCUBA_SAVED_INVALID */
export const loadSavedFile = (file: string) => loadDocuments(file, savedSchema, 'SCUBA_SAVED_INVALID', 'query')

/** The boards of a file. @throws as {@link loadSavedFile} */
export const loadBoardFile = (file: string) => loadDocuments(file, boardSchema, 'SCUBA_SAVED_INVALID', 'board')
