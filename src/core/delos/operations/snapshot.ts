import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'

export const SNAPSHOT_FORMAT = 1

/** First file of a snapshot: what it holds, so that it can be checked before anything of it is used. */
export const manifestSchema = z.object({
  format: z.number().int(),
  /** context it was saved from */
  context: z.string(),
  /** ms since the epoch */
  savedAt: z.number(),
  /** per log: first position, and the position after the last */
  logs: z.record(z.string().regex(/^[a-z]+$/), z.object({ head: z.number().int(), tail: z.number().int() })),
  files: z.array(z.object({ path: z.string(), bytes: z.number().int(), sha256: z.string() })),
})
export type SnapshotManifest = z.output<typeof manifestSchema>

export const snapshotSave = defineAction({
  name: 'delos.snapshot.save',
  summary: 'Save the whole state to a file on the machine of the server, while it runs.',
  role: 'admin',
  isMutation: true,
  input: z.object({
    /** absolute path; must not exist */
    file: z.string().startsWith('/', 'an absolute path'),
  }),
  output: z.object({
    file: z.string(),
    bytes: z.number().int(),
    /** of the file */
    sha256: z.string(),
    logs: manifestSchema.shape.logs,
    files: z.number().int(),
  }),
})

export const snapshotOperations = [snapshotSave]
