import { z } from 'zod'

const param = z.union([z.string(), z.number(), z.boolean(), z.null()])
const ms = z.number().int().nonnegative()

export const queryRequestSchema = z.object({
  sql: z.string().min(1).max(100_000),
  params: z.record(z.string(), param).optional(),
  sinceMs: ms.optional(),
  untilMs: ms.optional(),
  deadlineMs: z.number().int().min(1).max(60_000).optional(),
})

export const panelRequestSchema = z.object({
  table: z.string(),
  calc: z.array(z.string().min(1)).max(20).default(['count']),
  by: z.array(z.string().min(1)).max(8).optional(),
  where: z.string().max(20_000).optional(),
  params: z.record(z.string(), param).optional(),
  stepMs: z.number().int().positive().optional(),
  sinceMs: ms.optional(),
  untilMs: ms.optional(),
  top: z.number().int().min(1).optional(),
  other: z.boolean().optional(),
  deadlineMs: z.number().int().min(1).max(60_000).optional(),
})

export const liveRequestSchema = z.object({
  table: z.string().default('requests'),
  service: z.string(),
  fromMs: ms,
  toMs: ms.optional(),
  byTask: z.boolean().optional(),
})
