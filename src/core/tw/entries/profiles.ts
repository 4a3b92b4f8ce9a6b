import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { nodeProfileRow, profileRow, type NodeProfileRow } from '../profiles/rows.ts'
import { fromJson, nodeRow, type DrainRow } from '../rows.ts'
import { because, nextOf, note } from './marks.ts'

const texts = z.record(z.string(), z.string())
/** Whose drains empty a node for its switch. */
const PROFILER = 'controller:tw.profile'

/** A profile comes, or is another from now on; nodes stay as they are until it is applied to them. */
export const profileSet = defineEntry({
  type: 'tw.ProfileSet',
  body: z.object({ profile: z.string(), drains: z.boolean(), settings: texts, labels: texts }),
  notable: ({ profile, settings }) => note('profile', profile, null, `profile ${profile} set: ${Object.keys(settings).join(', ')}`),
  apply: (db, body, meta) => {
    const version = (profileRow(db, body.profile)?.version ?? 0) + 1
    db.run(
      'INSERT INTO tw_profile (name, version, drains, settings, labels, author, at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      body.profile,
      version,
      body.drains ? 1 : 0,
      canonicalJson(body.settings),
      canonicalJson(body.labels),
      meta.actor,
      meta.at,
    )
  },
})

/** Nodes are to be put into a version of a profile, a few at once. */
export const profileAssigned = defineEntry({
  type: 'tw.ProfileAssigned',
  body: z.object({ profile: z.string(), version: z.int(), nodes: z.array(z.string()).min(1), reason: z.string() }),
  notable: ({ profile, nodes, reason }) =>
    note('profile', profile, null, `profile ${profile} is to be put on ${nodes.length} nodes${because(reason)}`),
  apply: (db, { profile, version, nodes }, meta) => {
    const id = nextOf(db, 'profile-switch')
    for (const node of nodes)
      db.run(
        `INSERT OR REPLACE INTO tw_node_profile (node, switch, profile, version, state, was_cordoned, why, differs, since)
         VALUES (?, ?, ?, ?, 'waiting', 0, '', '{}', ?)`,
        ...[node, id, profile, version, meta.at],
      )
  },
})

/** A node waits longer than for its turn. */
export const profileWaits = defineEntry({
  type: 'tw.ProfileWaits',
  body: z.object({ node: z.string(), why: z.string() }),
  apply: (db, { node, why }) => {
    db.run("UPDATE tw_node_profile SET why = ? WHERE node = ? AND state = 'waiting'", why, node)
  },
})

/** A node is taken out of service to be switched; its drain, if it is to be empty, starts beside this. */
export const profileStarted = defineEntry({
  type: 'tw.ProfileStarted',
  body: z.object({ node: z.string(), drains: z.boolean() }),
  apply: (db, { node, drains }, meta) => {
    db.run(
      "UPDATE tw_node_profile SET state = ?, was_cordoned = ?, why = '', since = ? WHERE node = ? AND state = 'waiting'",
      ...[drains ? 'draining' : 'writing', nodeRow(db, node)?.is_cordoned ?? 0, meta.at, node],
    )
    db.run('UPDATE tw_node SET is_cordoned = 1, changed_at = ? WHERE name = ?', meta.at, node)
  },
})

/** It is empty: its agent is to write. */
export const profileWriting = defineEntry({
  type: 'tw.ProfileWriting',
  body: z.object({ node: z.string() }),
  apply: (db, { node }, meta) => {
    db.run("UPDATE tw_node_profile SET state = 'writing', since = ? WHERE node = ? AND state = 'draining'", meta.at, node)
  },
})

/**
 * What came of a node: it is as the profile says (`set`), its agent may not write and found differences (`compared`), or it did not read as
 * written and is as before (`failed`). A late word about another switch changes nothing.
 */
export const profileFinished = defineEntry({
  type: 'tw.ProfileFinished',
  body: z.object({
    node: z.string(),
    switch: z.int(),
    outcome: z.enum(['set', 'compared', 'failed']),
    /** setting → what it is instead */
    differs: texts,
    why: z.string(),
  }),
  notable: ({ node, outcome, why }) =>
    outcome === 'failed' ? note('profile', node, null, `${node} stays out of service: its profile failed${because(why)}`) : null,
  apply: (db, body, meta) => {
    const row = nodeProfileRow(db, body.node)
    if (row === undefined || row.switch !== body.switch || (row.state !== 'draining' && row.state !== 'writing')) return
    db.run(
      'UPDATE tw_node_profile SET state = ?, why = ?, differs = ?, since = ? WHERE node = ?',
      ...[body.outcome, body.why, canonicalJson(body.differs), meta.at, body.node],
    )
    if (body.outcome === 'failed') {
      // What broke one would break the others.
      db.run("UPDATE tw_node_profile SET state = 'held', why = ? WHERE switch = ? AND state = 'waiting'", `${body.node} failed`, row.switch)
      return
    }
    if (body.outcome === 'set') label(db, row)
    giveBack(db, row, meta.at)
  },
})

function label(db: Db, { node, profile, version }: NodeProfileRow): void {
  const labels = fromJson<Record<string, string>>(profileRow(db, profile, version)?.labels ?? '{}')
  const before = fromJson<Record<string, string>>(nodeRow(db, node)?.labels ?? '{}')
  db.run('UPDATE tw_node SET labels = ? WHERE name = ?', canonicalJson({ ...before, ...labels }), node)
}

/** Back into service, unless it was out of it before, or somebody else drains it or works on it by now. */
function giveBack(db: Db, { node, was_cordoned, since }: NodeProfileRow, at: number): void {
  const drain = db.get<DrainRow>('SELECT * FROM tw_drain WHERE node = ?', node)
  const isOwn = drain?.author === PROFILER
  // One of before that is complete says nothing any more: whether the node was closed then is known.
  if (drain !== undefined && !isOwn && (drain.maintenance !== null || drain.finished_at === null || drain.finished_at >= since)) return
  if (isOwn) db.run('DELETE FROM tw_drain WHERE node = ?', node)
  db.run('UPDATE tw_node SET is_cordoned = ?, changed_at = ? WHERE name = ?', was_cordoned, at, node)
}

/** A node no longer is as its profile says, or is again. */
export const profileDrifted = defineEntry({
  type: 'tw.ProfileDrifted',
  body: z.object({ node: z.string(), switch: z.int(), differs: texts }),
  notable: ({ node, differs }) => {
    const found = Object.entries(differs).map(([name, actual]) => `${name} is ${actual}`)
    return found.length === 0 ? null : note('profile', node, null, `${node} is not as its profile says: ${found.join(', ')}`)
  },
  apply: (db, body) => {
    db.run(
      "UPDATE tw_node_profile SET differs = ? WHERE node = ? AND switch = ? AND state IN ('set', 'compared')",
      ...[canonicalJson(body.differs), body.node, body.switch],
    )
  },
})

export const PROFILE_ENTRIES = [
  profileSet,
  profileAssigned,
  profileWaits,
  profileStarted,
  profileWriting,
  profileFinished,
  profileDrifted,
] as const
