import type { z } from 'zod'
import { boardSchema, savedSchema } from '../../core/scuba/saved/schema.ts'
import { loadListedFile } from './listed-file.ts'

/** The saved queries of a file. @throws MusterError FILE_UNREADABLE, SCUBA_SAVED_INVALID with line and column of the first fault */
export function loadSavedFile(file: string): z.input<typeof savedSchema>[] {
  return loadListedFile(file, { schema: savedSchema, code: 'SCUBA_SAVED_INVALID', noun: 'query' })
}

/** The boards of a file; throws as {@link loadSavedFile}. */
export function loadBoardFile(file: string): z.input<typeof boardSchema>[] {
  return loadListedFile(file, { schema: boardSchema, code: 'SCUBA_SAVED_INVALID', noun: 'board' })
}
