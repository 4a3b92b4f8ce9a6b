import { z } from 'zod'
import { defineAction, defineCommand } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { LeafLeaving } from '../entries/leaves.ts'
import { storedShards } from '../registry-state.ts'
import { holders, staying } from '../shards/holders.ts'
import { planReplicas } from '../shards/replicas.ts'
import { DISK_LEVELS } from '../seal/pressure.ts'
import { missingLeaves } from './missing.ts'

/** whose file it is */
const leaf = z.string().default('')

const segment = z.object({
  leaf,
  table: z.string(),
  file: z.string(),
  rows: z.number(),
  bytes: z.number(),
  fromMs: z.number(),
  toMs: z.number(),
  /** one row of so many is left; 1: all */
  thinned: z.number(),
  /** when its checksum was last compared, ms; null: when it was written */
  checkedMs: z.number().nullable(),
  /** why it is not read; null: it is */
  lost: z.string().nullable(),
})

export const scubaSegmentList = defineAction({
  name: 'scuba.segment.list',
  summary: 'List the segments of a table, or of all.',
  isMutation: false,
  input: z.object({ table: z.string().optional() }),
  output: z.object({ segments: z.array(segment), missing: missingLeaves }),
})

export const scubaVerify = defineAction({
  name: 'scuba.segment.verify',
  summary: 'Compare segments with the checksums of the manifest; what differs is not read from then on.',
  isMutation: false,
  input: z.object({
    table: z.string().optional(),
    /** bytes a second; the default leaves the disk to others */
    rate: z.int().positive().max(10_000_000_000).default(200_000_000),
  }),
  output: z.object({
    checked: z.number(),
    bytes: z.number(),
    /** lost before, and whole again */
    found: z.number(),
    /** broken, and put back from a copy on another leaf */
    repaired: z.number().default(0),
    lost: z.array(z.object({ leaf, table: z.string(), file: z.string(), rows: z.number(), reason: z.string() })),
    elapsedMs: z.number(),
    missing: missingLeaves,
  }),
})

export const scubaCompact = defineAction({
  name: 'scuba.segment.compact',
  summary: 'Seal what a table has unsealed, and make one of its small segments of each hour and day.',
  isMutation: true,
  input: z.object({ table: z.string() }),
  output: z.object({ table: z.string(), before: z.number(), after: z.number(), rows: z.number() }),
})

export const scubaLeafList = defineAction({
  name: 'scuba.leaf.list',
  summary: 'List the leaves: who is there, what each holds, how full its disk is.',
  isMutation: false,
  input: z.object({}),
  output: z.object({
    leaves: z.array(
      z.object({
        leaf: z.string(),
        /** null: a server's own */
        node: z.string().nullable(),
        /** name of the server whose own it is, or whose certificate it shows; null: of the only server, or a node shows its own */
        server: z.string().nullable().default(null),
        /** it takes rows of, by which epoch */
        shards: z.array(z.object({ id: z.string(), epoch: z.number() })),
        /** leaves that hold copies of its rows, with how far each is; null: the leaf does not say */
        copies: z.array(
          z.object({ leaf: z.string(), state: z.enum(['following', 'catching-up', 'away']).nullable(), waitingBytes: z.number() }),
        ),
        /** to whom it gives what it has; null: it stays */
        leavingTo: z.string().nullable().default(null),
        state: z.enum(['present', 'silent', 'lost']),
        /** ms */
        sinceMs: z.number().nullable(),
        /** null: it does not answer */
        holds: z
          .object({
            pid: z.number(),
            tables: z.number(),
            segments: z.number(),
            rows: z.number(),
            bytes: z.number(),
            lostSegments: z.number(),
            lostRows: z.number(),
            registryVersion: z.number(),
            /** not sealed yet */
            backlogBytes: z.number(),
            disk: z.enum(DISK_LEVELS),
            /** tokens all of whose large bodies had bad lines: they are on `validate=sync` */
            strictTokens: z.array(z.string()).default([]),
            /** of copies of other leaves' rows, in no answer of this one */
            copiedRows: z.number().default(0),
            /** set aside when its shard went to another leaf, in no answer */
            asideRows: z.number().default(0),
            /** whose clock seems to be off: newest time of a row less when it came, the most of the last minutes; the farthest first */
            senders: z.array(z.object({ sender: z.string(), skewMs: z.number(), rows: z.number(), lastMs: z.number() })).default([]),
            /** where sealed rows go if not into files, and why that cannot be reached */
            clickhouse: z.object({ where: z.string(), away: z.string().nullable() }).nullable().default(null),
          })
          .nullable(),
      }),
    ),
  }),
})

export const scubaLeafJoin = defineAction({
  name: 'scuba.leaf.join',
  summary: 'Run a leaf on a node, whose rows belong into answers from then on.',
  isMutation: true,
  input: z.object({ node: z.string().min(1) }),
  output: z.object({ leaf: z.string(), node: z.string(), address: z.string() }),
})

export const scubaLeafLeave = defineCommand({
  name: 'scuba.leaf.leave',
  summary: "Give all that a node's leaf has to another leaf, and end it; nothing is lost on the way, and no answer misses a row.",
  danger: 'medium',
  input: z.object({ node: z.string().min(1) }),
  output: z.object({ leaf: z.string(), node: z.string(), to: z.string() }),
  decide: (db, { node }) => {
    const leaves = holders(db)
    const leaf = leaves.find((one) => one.node === node)
    if (leaf === undefined) return refuse('NOT_FOUND', `node ${node} runs no leaf`, { hint: 'List them with `muster scuba leaves`.' })
    if (leaf.leaving !== null) return { entries: [], reply: () => ({ leaf: leaf.id, node, to: leaf.leaving?.to ?? '' }) }
    if (leaf.isLost)
      return refuse('UNAVAILABLE', `leaf ${leaf.id} does not answer, so what it has cannot be copied`, {
        hint: 'Bring its node back first; rows of replicated tables are on other leaves by now.',
      })
    const held = storedShards(db).find(({ primary }) => primary === leaf.id)
    const present = staying(leaves).filter(({ isLost }) => !isLost)
    const [to] = planReplicas(leaf, present, Object.keys(held?.replicas ?? {}), 1)
    if (to === undefined)
      return refuse('UNAVAILABLE', `no other leaf can take what leaf ${leaf.id} has`, {
        hint: 'Have another node run one: `muster scuba leaf join NODE`. It has to be one that this leaf can call.',
      })
    return { entries: [LeafLeaving.of({ leaf: leaf.id, to })], reply: () => ({ leaf: leaf.id, node, to }) }
  },
})
