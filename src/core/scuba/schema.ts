import { z } from 'zod'
import { CAP_NAMES } from './rows/caps.ts'

const param = z.union([z.string(), z.number(), z.boolean(), z.null()])
const ms = z.number().int().nonnegative()

/** The time range of a question and how long it may take; shared by all that ask. */
const asking = {
  params: z.record(z.string(), param).optional(),
  sinceMs: ms.optional(),
  untilMs: ms.optional(),
  lastMs: z.number().int().positive().optional(),
  deadlineMs: z.number().int().min(1).max(60_000).optional(),
}
const condition = z.string().min(1).max(20_000)
const compare = z.string().regex(/^\d{1,4}[smhdw]$/, 'must be such as 1d, 1w or 6h')
const require = z.enum(['full', 'partial'])

export const queryRequestSchema = z.object({
  sql: z.string().min(1).max(100_000),
  ...asking,
  require: require.optional(),
  compare: compare.optional(),
  raw: z.boolean().optional(),
})

export const explainRequestSchema = queryRequestSchema.extend({ analyze: z.boolean().optional() })

export const panelRequestSchema = z.object({
  table: z.string(),
  calc: z.array(z.string().min(1)).max(20).default(['count']),
  by: z.array(z.string().min(1)).max(8).optional(),
  where: z.string().max(20_000).optional(),
  stepMs: z.number().int().positive().optional(),
  top: z.number().int().min(1).optional(),
  other: z.boolean().optional(),
  having: z.array(z.string().min(1).max(300)).max(8).optional(),
  compare: compare.optional(),
  require: require.optional(),
  maxAgeMs: z.number().int().nonnegative().max(60_000).optional(),
  raw: z.boolean().optional(),
  ...asking,
})

export const boardRequestSchema = z.object({
  panels: z.array(panelRequestSchema).min(1).max(50),
  maxAgeMs: z.number().int().nonnegative().max(60_000).optional(),
  deadlineMs: asking.deadlineMs,
})

export const diffRequestSchema = z.object({
  table: z.string(),
  select: condition,
  baseline: condition.optional(),
  where: condition.optional(),
  columns: z.array(z.string().min(1)).min(1).max(60).optional(),
  ...asking,
})

export const funnelRequestSchema = z.object({
  table: z.string(),
  steps: z.array(condition).min(2).max(10),
  actor: z.string().min(1),
  withinMs: z.number().int().positive().optional(),
  where: condition.optional(),
  ...asking,
})

export const sessionsRequestSchema = z.object({
  table: z.string(),
  actor: z.string().min(1),
  gapMs: z.number().int().positive().optional(),
  where: condition.optional(),
  ...asking,
})

export const traceRequestSchema = z.object({ trace: z.string().min(1).max(128), ...asking })

export const liveRequestSchema = z.object({
  table: z.string().default('requests'),
  service: z.string(),
  fromMs: ms,
  toMs: ms.optional(),
  byTask: z.boolean().optional(),
})

/** How often rows of a table met each of its bounds. */
export const capCountsSchema = z.record(z.enum(CAP_NAMES), z.number())
