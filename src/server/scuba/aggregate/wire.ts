import { z } from 'zod'
import { columnTypeSchema, peerSchema } from '../../../core/scuba/registry.ts'
import { panelRequestSchema } from '../../../core/scuba/schema.ts'
import type { WireGroups } from '../../../core/scuba/merge/wire.ts'
import type { Answered } from '../../../core/scuba/shards/coverage.ts'
import type { CacheUse } from '../../../core/scuba/wire-types.ts'

/** What leaves ask each other. It is asked in the words of the one that merges, whose columns and types are those of all. */

const plain = z.union([z.string(), z.number(), z.boolean(), z.null()])

const viewSchema = z.object({
  columns: z.record(z.string(), columnTypeSchema),
  retyped: z.array(z.string()),
  derived: z.array(z.object({ name: z.string(), sql: z.string(), type: columnTypeSchema })),
})

/** of whose rows an answer is wanted, of a leaf that holds a copy of them; without: of its own */
const copyAskedSchema = z.object({ leaf: z.string(), epochs: z.record(z.string(), z.int().positive()), seq: z.int().nonnegative() })

/** `POST /v1/scuba/partials` */
export const partialsRequestSchema = z.object({
  /** with its range in figures; it was checked by the one that asks */
  request: panelRequestSchema.extend({ sinceMs: z.number(), untilMs: z.number() }),
  view: viewSchema,
  /** columns that are read, with those of expressions */
  columns: z.array(z.string()),
  /** see `PanelPlan` */
  isPortable: z.boolean().default(false),
  what: z.union([z.enum(['all', 'best', 'few']), z.object({ named: z.array(z.array(plain)) })]),
  /** leaves whose answers are put to its own */
  under: z.array(peerSchema).default([]),
  copy: copyAskedSchema.optional(),
})
export type PartialsRequest = z.output<typeof partialsRequestSchema>

export interface PartialsAnswer extends Answered {
  groups: WireGroups
  cache: CacheUse
}

/** `POST /v1/scuba/rows`: rows of a table as a Parquet file; 204: it has none */
export const rowsRequestSchema = z.object({
  table: z.string(),
  view: viewSchema,
  columns: z.array(z.string()),
  /** SQL condition over the view, checked by the one that asks */
  where: z.string().nullable(),
  /** columns that equal a text in every row that is wanted */
  equal: z.array(z.object({ column: z.string(), value: z.string() })),
  sinceMs: z.number().optional(),
  untilMs: z.number().optional(),
  deadlineMs: z.number(),
  copy: copyAskedSchema.optional(),
})
export type RowsRequest = z.output<typeof rowsRequestSchema>

/** Head of such an answer: JSON of `Answered`, and rows, bounds of time. */
export const ROWS_HEAD = 'x-muster-rows'
export interface RowsHead extends Answered {
  rows: number
  minUs: number
  maxUs: number
}
