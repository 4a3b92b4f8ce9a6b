import type { ReadDb } from '../../contracts/storage.ts'
import { fromJson } from '../rows.ts'

/*
 * Nodes are put into a profile a few at once: taken out of service, emptied if the profile says so, written and read back by their agent, and
 * given back. A node that does not read as it was written is as it was before, stays closed, and no further one of that switch is taken.
 */

export const PROFILE_TABLES: readonly string[] = [
  `CREATE TABLE tw_profile (
    name TEXT NOT NULL, version INTEGER NOT NULL, drains INTEGER NOT NULL, settings TEXT NOT NULL, labels TEXT NOT NULL, author TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (name, version)
  ) WITHOUT ROWID`,
  `CREATE TABLE tw_node_profile (
    node TEXT PRIMARY KEY, switch INTEGER NOT NULL, profile TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
    was_cordoned INTEGER NOT NULL, why TEXT NOT NULL, differs TEXT NOT NULL, since INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE INDEX tw_node_profile_by_state ON tw_node_profile (state, switch, node) WHERE state <> 'set'`,
]

export interface ProfileRow {
  name: string
  version: number
  drains: number
  settings: string
  labels: string
  author: string
  at: number
}

/**
 * `waiting` for its turn; `draining`; `writing`: its agent is to do it; `set`; `compared`: the agent may not write there, and it differs;
 * `failed`: it did not read as written; `held`: another one of its switch failed.
 */
export const PROFILE_STATES = ['waiting', 'draining', 'writing', 'set', 'compared', 'failed', 'held'] as const
export type ProfileState = (typeof PROFILE_STATES)[number]

export interface NodeProfileRow {
  node: string
  /** which assignment it belongs to */
  switch: number
  profile: string
  version: number
  state: ProfileState
  was_cordoned: number
  why: string
  /** JSON: setting → what it is instead */
  differs: string
  since: number
}

/** A version of a profile; without one the newest. */
export function profileRow(db: ReadDb, name: string, version?: number): ProfileRow | undefined {
  return db.get<ProfileRow>(
    'SELECT * FROM tw_profile WHERE name = ? AND (? IS NULL OR version = ?) ORDER BY version DESC LIMIT 1',
    name,
    version ?? null,
    version ?? null,
  )
}

export function nodeProfileRow(db: ReadDb, node: string): NodeProfileRow | undefined {
  return db.get<NodeProfileRow>('SELECT * FROM tw_node_profile WHERE node = ?', node)
}

/** Nodes that are being switched now, by name. */
export function switchingNodes(db: ReadDb): NodeProfileRow[] {
  return db.all<NodeProfileRow>("SELECT * FROM tw_node_profile WHERE state IN ('draining', 'writing') ORDER BY node")
}

/** The next nodes to be switched: those in service that nobody else empties or works on. */
export function nextToSwitch(db: ReadDb, most: number): NodeProfileRow[] {
  return db.all<NodeProfileRow>(
    `SELECT p.* FROM tw_node_profile p JOIN tw_node n ON n.name = p.node
     WHERE p.state = 'waiting' AND n.state = 'ready' AND NOT EXISTS (SELECT 1 FROM tw_drain d WHERE d.node = p.node AND (d.finished_at IS NULL OR d.maintenance IS NOT NULL))
     ORDER BY p.switch, p.node LIMIT ?`,
    most,
  )
}

/** A node's profile as people see it. */
export interface NodeProfileView {
  profile: string
  version: number
  state: ProfileState
  why: string
  /** setting → what it is instead */
  differs: Record<string, string>
}

export function nodeProfileView(db: ReadDb, node: string): NodeProfileView | null {
  const row = nodeProfileRow(db, node)
  if (row === undefined) return null
  const { profile, version, state, why } = row
  return { profile, version, state, why, differs: fromJson<Record<string, string>>(row.differs) }
}
