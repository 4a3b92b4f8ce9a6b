import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'

export const logNameSchema = z.enum(['control', 'kv'])

export const entrySchema = z.object({
  position: z.number().int(),
  type: z.string(),
  v: z.number().int(),
  /** log time in ms */
  at: z.number(),
  actor: z.string(),
  body: z.unknown(),
  notable: z.unknown().optional(),
  trace: z.string().optional(),
})

export const ENTRIES_MAX = 1000

export const logList = defineAction({
  name: 'delos.log.ls',
  summary: 'Read entries of the log.',
  isMutation: false,
  input: z.object({
    log: logNameSchema.default('control'),
    /** first position; absent: the last `limit` entries */
    from: z.number().int().min(1).optional(),
    limit: z.number().int().min(1).max(ENTRIES_MAX).default(50),
    /** only types that start so */
    type: z.string().optional(),
    actor: z.string().optional(),
  }),
  output: z.object({
    log: logNameSchema,
    /** first position kept, and the position after the last */
    head: z.number().int(),
    tail: z.number().int(),
    entries: z.array(entrySchema),
  }),
})

export const logShow = defineAction({
  name: 'delos.log.show',
  summary: 'Show one entry of the log.',
  isMutation: false,
  input: z.object({ log: logNameSchema.default('control'), position: z.number().int().min(1) }),
  output: entrySchema,
})

export const status = defineAction({
  name: 'delos.status',
  summary: 'Show the logs: where they stand and how durable they are.',
  isMutation: false,
  input: z.object({}),
  output: z.object({
    /** of the log of muster's own state: `single`, `quorum 3`, `etcd`; with `+archive` when it is archived */
    durability: z.string(),
    /** all of the fleet, as the one that answers sees them */
    servers: z.array(
      z.object({
        name: z.string(),
        id: z.string(),
        role: z.string(),
        leads: z.boolean(),
        region: z.string().nullable(),
        /** why it is not reached; null: it is */
        trouble: z.string().nullable(),
        /** what is wrong with the state that it made of the control log; null: nothing is known of that */
        state: z.string().nullable(),
        /** batches that it is behind; null: not known, as all that follows */
        lag: z.number().int().nullable(),
        /** a write of the log until fdatasync returned, ms */
        syncP50Ms: z.number().nullable(),
        syncP99Ms: z.number().nullable(),
        /** how much its clock is ahead, ms */
        clockOffMs: z.number().nullable(),
      }),
    ),
    logs: z.array(
      z.object({
        log: logNameSchema,
        loglet: z.string(),
        /** name of the server that leads it; null: none does */
        leader: z.string().nullable(),
        durability: z.string(),
        /** the last change of leaders that the asked server saw, and how long nobody led; null: none since it started */
        lastChange: z.object({ at: z.number(), from: z.string(), to: z.string(), gapMs: z.number() }).nullable(),
        /** of the last change of where it lies: how long nothing could be written; null: none, or nobody wanted to */
        lastSwitchGapMs: z.number().nullable(),
        head: z.number().int(),
        tail: z.number().int(),
        dir: z.string(),
        bytes: z.number(),
      }),
    ),
    kv: z.object({
      revision: z.number().int(),
      compacted: z.number().int(),
      keys: z.number().int(),
      leases: z.number().int(),
      locks: z.number().int(),
    }),
    /** `HOST:PORT` of the store's port for etcd's clients; null: none was asked for */
    etcd: z.string().nullable(),
  }),
})

/** Positions are those people use: numbers of entries. `batch…` are those of the log beneath, where a batch of entries takes one. */
const chainSegmentSchema = z.object({
  /** hexadecimal */
  loglet: z.string(),
  kind: z.string(),
  /** whose files, which voters, or which etcd */
  where: z.string(),
  first: z.number().int(),
  /** position after its last entry; null: it takes appends */
  end: z.number().int().nullable(),
  batchFirst: z.number().int(),
  batchEnd: z.number().int().nullable(),
  /** how the log came there; null: it began there, or nobody noted it */
  moved: z.object({ at: z.number(), actor: z.string() }).nullable(),
})

export const chainServerSchema = z.object({
  server: z.number().int(),
  id: z.string(),
  name: z.string(),
  role: z.string(),
  leads: z.boolean(),
  isSelf: z.boolean(),
  /** why it is not reached; null: it is */
  trouble: z.string().nullable(),
  /** batches of the control log that it is behind; null: not known */
  lag: z.number().int().nullable(),
  /** position in the control log up to which it has applied; null: not known */
  applied: z.number().int().nullable(),
})

export const chainMarkSchema = z.object({
  kind: z.enum(['incident', 'rollout']),
  /** as commands name it: `12`, `r34` */
  id: z.string(),
  title: z.string(),
  state: z.string(),
  /** positions of its first and its last entry in the control log; null: it goes on */
  from: z.number().int(),
  to: z.number().int().nullable(),
  at: z.number(),
})

export const MARKS_MAX = 500

export const logChain = defineAction({
  name: 'delos.log.chain',
  summary: 'Show of which loglets the logs are made, who keeps them, and what incidents and rollouts stand in them.',
  isMutation: false,
  input: z.object({
    /** incidents and rollouts, the newest of each */
    marks: z.number().int().min(0).max(MARKS_MAX).default(100),
  }),
  output: z.object({
    now: z.number(),
    logs: z.array(
      z.object({
        log: logNameSchema,
        /** of the register */
        version: z.number().int(),
        head: z.number().int(),
        tail: z.number().int(),
        segments: z.array(chainSegmentSchema),
        skips: z.array(z.object({ position: z.number().int(), reason: z.string() })),
        /** ms without a change at the last switch; null: not seen */
        lastGapMs: z.number().nullable(),
      }),
    ),
    servers: z.array(chainServerSchema),
    marks: z.array(chainMarkSchema),
  }),
})

export const logOperations = [logList, logShow, logChain, status]
