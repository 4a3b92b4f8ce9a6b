import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'
import { missingLeaves } from './missing.ts'

/** Which lines of the quarantine are meant; replayed and dropped ones are never. */
const selection = {
  table: z.string().optional(),
  /** beginning of the reason */
  reason: z.string().max(200).optional(),
  sinceMs: z.int().nonnegative().optional(),
}

export const scubaQuarantineList = defineAction({
  name: 'scuba.quarantine.list',
  summary: 'List the reasons for which lines could not become rows, with their number and a first line.',
  isMutation: false,
  input: z.object(selection),
  output: z.object({
    reasons: z.array(
      z.object({
        table: z.string(),
        reason: z.string(),
        lines: z.number(),
        firstMs: z.number(),
        lastMs: z.number(),
        /** one of them, as it was sent */
        example: z.string(),
      }),
    ),
    missing: missingLeaves,
  }),
})

export const scubaQuarantineShow = defineAction({
  name: 'scuba.quarantine.show',
  summary: 'Show lines of the quarantine, newest first.',
  isMutation: false,
  input: z.object({ ...selection, limit: z.int().min(1).max(1000).default(20) }),
  output: z.object({
    lines: z.array(
      z.object({
        id: z.string(),
        atMs: z.number(),
        table: z.string(),
        line: z.number(),
        reason: z.string(),
        text: z.string(),
        key: z.string().nullable(),
      }),
    ),
    missing: missingLeaves,
  }),
})

export const scubaQuarantineReplay = defineAction({
  name: 'scuba.quarantine.replay',
  summary: 'Take lines of the quarantine in once more, after what was wrong was mended; each becomes a row at most once.',
  isMutation: true,
  hasPlan: true,
  input: z.object(selection),
  output: z.object({
    /** lines that are rows now, or would be */
    replayed: z.number(),
    /** lines that still cannot be rows; they stay */
    failed: z.number(),
    /** lines that were too long to be kept whole */
    cut: z.number(),
    /** there are more than one round takes: run it again */
    hasMore: z.boolean(),
    firstErrors: z.array(z.object({ id: z.string(), reason: z.string() })),
  }),
})

export const scubaQuarantineDrop = defineAction({
  name: 'scuba.quarantine.drop',
  summary: 'Set lines of the quarantine aside: they are not listed or replayed any more, and go with the retention of muster_quarantine.',
  isMutation: true,
  hasPlan: true,
  danger: 'medium',
  input: z.object(selection),
  output: z.object({ dropped: z.number(), hasMore: z.boolean() }),
})
