import { PROFILE_TABLES } from '../profiles/rows.ts'
import { UPGRADE_TABLES } from '../upgrades/rows.ts'
import { ADMISSION_TABLES } from './admission.ts'
import { AGENT_PORT_TABLES } from './agent-ports.ts'

/** What is kept of nodes beside `tw_node`. Times are log time in ms. */
export const NODE_TABLES: readonly string[] = [
  ...ADMISSION_TABLES,
  ...AGENT_PORT_TABLES,
  ...UPGRADE_TABLES,
  ...PROFILE_TABLES,
  `CREATE INDEX tw_node_not_ready ON tw_node (state, name) WHERE state <> 'ready'`,
  // One row while so many nodes are silent at once that nobody is given up.
  `CREATE TABLE tw_loss_hold (one INTEGER PRIMARY KEY CHECK (one = 1), nodes INTEGER NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL)`,
  // When the last such time ended.
  `CREATE TABLE tw_loss_ended (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL)`,
  // The last report of each node that changed something: an older one that comes late changes nothing.
  `CREATE TABLE tw_node_report (node TEXT PRIMARY KEY, boot_id TEXT NOT NULL, instance INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID`,
]
