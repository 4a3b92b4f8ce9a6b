import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'

const node = z.string().min(1).max(100)

const folder = z.object({
  /** shards that are another leaf's since then, with their epochs */
  name: z.string(),
  sinceMs: z.number(),
  rows: z.number(),
  /** up to which batch the rows are another leaf's own; null: no leaf says so */
  takenThrough: z.number().nullable(),
  /** everything that only this leaf had is put back */
  isSettled: z.boolean(),
  /** tables some of whose later batches are in segments already: which rows those are is not known */
  sealed: z.array(z.string()),
  /** after that batch, oldest first */
  batches: z.array(
    z.object({
      seq: z.number(),
      table: z.string(),
      rows: z.number(),
      fromMs: z.number(),
      toMs: z.number(),
      receivedMs: z.number(),
      key: z.string().nullable(),
      /** `back`: among the tables' rows; `waits`: a person decides */
      state: z.enum(['waits', 'back']),
    }),
  ),
})
export type AsideFolder = z.output<typeof folder>

/** What a leaf set aside because its shards are another's. */
export const scubaLeafAside = defineAction({
  name: 'scuba.leaf.aside',
  summary: 'List the batches that a leaf set aside when its shards became another leaf’s, and that only it had.',
  isMutation: false,
  input: z.object({ node }),
  output: z.object({ leaf: z.string(), folders: z.array(folder) }),
})

export const scubaLeafAsideSettle = defineAction({
  name: 'scuba.leaf.aside-settle',
  summary: 'Put batches that a leaf set aside back into their tables, each once, or remove all that it set aside.',
  isMutation: true,
  hasPlan: true,
  input: z.object({ node, what: z.enum(['merge', 'drop']) }),
  output: z.object({
    leaf: z.string(),
    /** batches that came in now, and their rows */
    merged: z.number(),
    rows: z.number(),
    /** batches whose key was there already */
    known: z.number(),
    /** batches that stay as they are, because nobody says what is there, or their table is no more */
    left: z.number(),
    /** folders that were removed, and rows in them that are in no table */
    dropped: z.number(),
    droppedRows: z.number(),
  }),
})
export type AsideSettled = z.output<typeof scubaLeafAsideSettle.output>
