import { z } from 'zod'
import { columnTypeSchema } from '../../../core/scuba/registry.ts'

/** What a leaf and those that hold copies of its rows say to each other; it is always the one whose rows they are that calls. */

/** Head of what is sent to a copy: which state of it is meant, and by which epochs. */
export const COPY_HEAD = 'x-muster-copy'

const epochsSchema = z.record(z.string(), z.int().positive())

/** `POST …/replica/LEAF/batches`: records as in a journal, in their order */
export const batchesHeadSchema = z.object({
  session: z.string(),
  /** number of the batch before the first of these */
  after: z.int().nonnegative(),
  epochs: epochsSchema,
})
export type BatchesHead = z.output<typeof batchesHeadSchema>

/** `GET …/replica/LEAF`; without epochs it is only asked about */
export const askedSchema = z.object({ epochs: epochsSchema.optional() })

const segmentSchema = z.object({
  file: z.string().regex(/^[a-z0-9_]+(-[a-z0-9]+){3}\.parquet$/),
  table: z.string(),
  rows: z.number(),
  bytes: z.number(),
  sha256: z.string(),
  minUs: z.number(),
  maxUs: z.number(),
  thinned: z.number().exactOptional(),
  codes: z.array(z.string()).readonly().exactOptional(),
})

/** `PUT …/replica/LEAF/segments/FILE` */
export const segmentHeadSchema = z.object({ sha256: z.string() })

const copiedTableSchema = z.object({
  /** batches up to this number are in the segments */
  throughSeq: z.int().nonnegative(),
  columns: z.record(z.string(), columnTypeSchema),
  segments: z.array(segmentSchema),
  /** rows of segments that were broken when they were to be copied, and are in none of these */
  lostRows: z.int().nonnegative().default(0),
})

/** `PUT …/replica/LEAF`: what a copy is from now on, beside the batches that follow. */
export const copySchema = z.object({
  /** another one than before: batches of the one before are in the segments */
  session: z.string(),
  epochs: epochsSchema,
  /** the newest batch that the segments hold */
  seq: z.int().nonnegative(),
  tables: z.record(z.string(), copiedTableSchema),
})
export type Copy = z.output<typeof copySchema>

export const keySchema = z.tuple([
  z.string(),
  z.string(),
  z.object({ digest: z.string(), accepted: z.number(), quarantined: z.number(), at: z.number() }),
])

export const putCopySchema = z.object({ copy: copySchema, keys: z.array(keySchema) })

/** What a copy answers: which state it is in. */
export interface CopyAnswer {
  /** null: there is none yet */
  session: string | null
  seq: number
  /** newest time at which a batch with a key came in, ms */
  keysMs: number
  files: string[]
}

export const replicaPath = (of: string, rest = ''): string => `/v1/scuba/replica/${encodeURIComponent(of)}${rest}`
