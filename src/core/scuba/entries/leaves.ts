import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { DISK_LEVELS, type DiskLevel } from '../seal/pressure.ts'

/**
 * A leaf answers: for the first time, or again. One that others reach comes with where it is, when it joins. `server`, 16 hex digits: the server whose
 * certificate it shows there; without a node it is that server's own.
 */
export const LeafJoined = defineEntry({
  type: 'scuba.LeafJoined',
  body: z.object({ leaf: z.string(), node: z.string().optional(), address: z.string().optional(), server: z.string().optional() }),
  apply: (db, { leaf, node, address, server }, { at }) => {
    // One that only says where it is was there before.
    db.run(
      `INSERT INTO scuba_leaf (id, state, since, node, address, server) VALUES (?, 'present', ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, since = iif(state = excluded.state, since, excluded.since),
         node = coalesce(excluded.node, node), server = coalesce(excluded.server, server), address = coalesce(excluded.address, address)`,
      leaf,
      at,
      node ?? null,
      address ?? null,
      server ?? null,
    )
  },
})

/** A leaf has not answered for 30 s: its rows are in no answer. */
export const LeafLost = defineEntry({
  type: 'scuba.LeafLost',
  body: z.object({ leaf: z.string() }),
  notable: ({ leaf }) => ({
    system: 'scuba',
    kind: 'leaf-lost',
    target: leaf,
    service: null,
    text: `scuba's leaf ${leaf} does not answer: its rows are in no answer, and senders keep theirs`,
  }),
  apply: (db, { leaf }, { at }) => {
    db.run(`UPDATE scuba_leaf SET state = 'lost', since = ? WHERE id = ?`, at, leaf)
  },
})

/** A leaf is to go: what it has is copied to another one, which is to take its shards; until then it is as before. */
export const LeafLeaving = defineEntry({
  type: 'scuba.LeafLeaving',
  body: z.object({ leaf: z.string(), to: z.string() }),
  apply: (db, { leaf, to }, { position }) => {
    db.run(`UPDATE scuba_leaf SET leaving = 'copying', leaving_to = ?, leaving_position = ? WHERE id = ?`, to, position, leaf)
  },
})

/** What a leaf that is to go has is copied; from now on it takes no rows, so that the rest is copied once and for all. */
export const LeafDraining = defineEntry({
  type: 'scuba.LeafDraining',
  body: z.object({ leaf: z.string() }),
  apply: (db, { leaf }, { position }) => {
    db.run(`UPDATE scuba_leaf SET leaving = 'draining', leaving_position = ? WHERE id = ?`, position, leaf)
  },
})

/** All that a leaf had is another's, and its node runs none any more; or its server was removed from the control plane, and what it had went with it. */
export const LeafLeft = defineEntry({
  type: 'scuba.LeafLeft',
  body: z.object({ leaf: z.string() }),
  apply: (db, { leaf }) => {
    db.run('DELETE FROM scuba_leaf WHERE id = ?', leaf)
    db.run('DELETE FROM scuba_shard WHERE primary_leaf = ?', leaf)
    db.run('DELETE FROM scuba_lost_segment WHERE leaf = ?', leaf)
  },
})

const DISK_TEXTS: Record<DiskLevel, string> = {
  ok: 'has room again',
  warn: 'is 80 % full',
  evict: 'is 90 % full: the oldest rows go before their time',
  full: 'is 95 % full: rows are refused',
}

/** The disk of a leaf is fuller, or emptier, than it was. */
export const LeafDiskMoved = defineEntry({
  type: 'scuba.LeafDiskMoved',
  body: z.object({ leaf: z.string(), level: z.enum(DISK_LEVELS) }),
  notable: ({ leaf, level }) => ({
    system: 'scuba',
    kind: 'leaf-disk',
    target: leaf,
    service: null,
    text: `the disk of scuba's leaf ${leaf} ${DISK_TEXTS[level]}`,
  }),
  apply: (db, { leaf, level }, { at }) => {
    db.run('UPDATE scuba_leaf SET disk = ?, disk_since = ? WHERE id = ?', level, at, leaf)
  },
})

/** A segment's file is gone or not what was written: it is not read, and answers over its time are partial. */
export const SegmentLost = defineEntry({
  type: 'scuba.SegmentLost',
  body: z.object({ leaf: z.string(), file: z.string(), table: z.string(), rows: z.int().nonnegative(), reason: z.string() }),
  notable: ({ table, file, rows, reason }) => ({
    system: 'scuba',
    kind: 'segment-lost',
    target: table,
    service: null,
    text: `${rows} rows of table ${table} are lost: ${file}: ${reason}`,
  }),
  apply: (db, { leaf, file, table, rows, reason }, { at }) => {
    db.run(
      'INSERT OR REPLACE INTO scuba_lost_segment (leaf, file, tbl, rows, reason, at) VALUES (?, ?, ?, ?, ?, ?)',
      leaf,
      file,
      table,
      rows,
      reason,
      at,
    )
  },
})

/** A lost segment is whole again, put back from a copy, or retention would have dropped it by now. */
export const SegmentSettled = defineEntry({
  type: 'scuba.SegmentSettled',
  body: z.object({ leaf: z.string(), file: z.string() }),
  apply: (db, { leaf, file }) => {
    db.run('DELETE FROM scuba_lost_segment WHERE leaf = ? AND file = ?', leaf, file)
  },
})
