import type { ReadDb } from '../../contracts/storage.ts'

/*
 * Agents are started anew from another installation, wave by wave, while their tasks run on. A wave passes when every agent of it is back in
 * time with the same processes; else those of it go back to the installation they came from, and no further wave begins.
 */

export const UPGRADE_TABLES: readonly string[] = [
  `CREATE TABLE tw_upgrade (
    id INTEGER PRIMARY KEY, folder TEXT, version TEXT, wave INTEGER NOT NULL, waves INTEGER NOT NULL, wave_at INTEGER,
    state TEXT NOT NULL, why TEXT NOT NULL, author TEXT NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER
  )`,
  `CREATE TABLE tw_upgrade_node (
    upgrade INTEGER NOT NULL, wave INTEGER NOT NULL, node TEXT NOT NULL, state TEXT NOT NULL, pid INTEGER NOT NULL, pids TEXT NOT NULL,
    PRIMARY KEY (upgrade, wave, node)
  ) WITHOUT ROWID`,
]

export interface UpgradeRow {
  id: number
  /** where the package lies on every node; null: the agents start anew from where they are */
  folder: string | null
  /** that the agents have to be of afterwards; null: any */
  version: string | null
  /** that goes on now, from 0 */
  wave: number
  waves: number
  /** when it began, log time; null: not yet */
  wave_at: number | null
  state: 'running' | 'done' | 'stopped'
  why: string
  author: string
  started_at: number
  finished_at: number | null
}

/** `waiting` for its wave; `asked`: the agent is to be told; `told`; `done`: back; `failed`: to go back; `returned`: told so. */
export type UpgradeNodeState = 'waiting' | 'asked' | 'told' | 'done' | 'failed' | 'returned'

export interface UpgradeNodeRow {
  upgrade: number
  wave: number
  node: string
  state: UpgradeNodeState
  /** of the agent before */
  pid: number
  /** JSON: task id → pid before */
  pids: string
}

export function runningUpgrade(db: ReadDb): UpgradeRow | undefined {
  return db.get<UpgradeRow>("SELECT * FROM tw_upgrade WHERE state = 'running' ORDER BY id LIMIT 1")
}

export function upgradeNodes(db: ReadDb, upgrade: number, wave: number): UpgradeNodeRow[] {
  return db.all<UpgradeNodeRow>('SELECT * FROM tw_upgrade_node WHERE upgrade = ? AND wave = ? ORDER BY node', upgrade, wave)
}

/** Under which an agent says of which version it is, and from where it was started. */
export const VERSION_ATTRIBUTE = 'muster.version'
export const FOLDER_ATTRIBUTE = 'muster.folder'
