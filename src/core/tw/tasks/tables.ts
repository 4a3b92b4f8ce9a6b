import { AWAY_TABLES } from './away.ts'
import { OVERDUE_CAUSE } from './back-off.ts'

/**
 * Task rows as they lie on disk. There may be millions, so what most tasks have in common is not repeated: what one
 * `TasksPlaced` placed is a slice, and a placed task is a row of integers. Ids of a slice's tasks follow each other, so
 * the tasks of a group are a few ranges of the key and need no index; the tasks of a node are a list in its load.
 * `tw_task` is the whole of it as one row a task, for readers.
 */

/** `tw_placed.state` is the place in this list. From {@link FIRST_FINAL} on they are final. */
export const STATES = ['placed', 'starting', 'running', 'stopping', 'unknown', 'stopped', 'complete', 'failed', 'lost'] as const
export const FIRST_FINAL = 5
/** Codes of some of them. */
export const UNKNOWN = STATES.indexOf('unknown')
export const COMPLETE = STATES.indexOf('complete')
export const LOST = STATES.indexOf('lost')

// What a task without a row of its own there is held to be.
const STATE_COLUMN = `CASE p.state ${STATES.map((state, i) => `WHEN ${i} THEN '${state}'`).join(' ')} END`
const WANT_COLUMN = `CASE p.want WHEN 0 THEN 'run' ELSE 'stop' END`
const STOP_CAUSE_COLUMN = `coalesce(t.cause, CASE p.state WHEN ${LOST} THEN 'node lost' END)`
const HEALTH_COLUMN = `coalesce(a.health, 'starting')`
const REASON_COLUMN = `coalesce(a.reason, '')`
const WAS_HEALTHY_COLUMN = 'coalesce(a.was_healthy, 0)'

const PLACED_JOIN = 'tw_slice s JOIN tw_placed p ON p.slice = s.id AND p.id BETWEEN s.id AND s.last'

/** The columns of `tw_task`, from {@link TASK_TABLES}' `s` slice, `p` placed, `l` load, `a` said, `t` stop, `w` why. */
export const TASK_COLUMNS = `p.id AS id, s.job AS job, s.grp AS grp, p.idx AS idx, p.version AS version,
  s.job || '/' || s.grp || '[' || p.idx || ']' AS task, l.name AS node, p.incarnation AS incarnation,
  ${STATE_COLUMN} AS state, ${WANT_COLUMN} AS want, t.position AS stop_position, t.at AS stop_at, ${STOP_CAUSE_COLUMN} AS stop_cause,
  a.reported AS reported, ${HEALTH_COLUMN} AS health, a.healthy_since AS healthy_since, a.pid AS pid, coalesce(a.ports, '{}') AS ports,
  ${REASON_COLUMN} AS reason, coalesce(a.restarts, 0) AS restarts, s.placed_at AS placed_at, s.placed_position AS placed_position, s.trace AS trace,
  a.started_at AS started_at, a.ended_at AS ended_at, ${WAS_HEALTHY_COLUMN} AS was_healthy, p.state >= ${FIRST_FINAL} AS is_terminal,
  p.is_reaped AS is_reaped, s.cpu_milli AS cpu_milli, s.memory_bytes AS memory_bytes, s.disk_bytes AS disk_bytes,
  p.gpu_mask AS gpu_mask, s.gpu_milli AS gpu_milli, s.static_ports AS static_ports, coalesce(w.text, s.why) AS why`

export const TASK_JOINS = `${PLACED_JOIN} JOIN tw_node_load l ON l.id = p.node
  LEFT JOIN tw_said a ON a.task = p.id LEFT JOIN tw_stop t ON t.task = p.id LEFT JOIN tw_why w ON w.task = p.id`

/** The same of the columns of `GroupTask` alone; a quarter of the time. */
export const GROUP_TASK_COLUMNS = `p.id AS id, p.idx AS idx, p.version AS version, l.name AS node, ${STATE_COLUMN} AS state, ${WANT_COLUMN} AS want,
  ${STOP_CAUSE_COLUMN} AS stop_cause, ${HEALTH_COLUMN} AS health, a.healthy_since AS healthy_since, ${REASON_COLUMN} AS reason, s.placed_at AS placed_at,
  a.ended_at AS ended_at, ${WAS_HEALTHY_COLUMN} AS was_healthy`

export const GROUP_TASK_JOINS = `${PLACED_JOIN} JOIN tw_node_load l ON l.id = p.node
  LEFT JOIN tw_said a ON a.task = p.id LEFT JOIN tw_stop t ON t.task = p.id`

export const TASK_TABLES: readonly string[] = [
  // `id` is that of its first task, `last` of its last one, `trace` of what they were placed for
  `CREATE TABLE tw_slice (
    id INTEGER PRIMARY KEY, last INTEGER NOT NULL, job TEXT NOT NULL, grp TEXT NOT NULL, cpu_milli INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL, disk_bytes INTEGER NOT NULL, gpu_milli INTEGER NOT NULL, static_ports TEXT NOT NULL,
    placed_at INTEGER NOT NULL, placed_position INTEGER NOT NULL, why TEXT NOT NULL, trace TEXT
  )`,
  `CREATE INDEX tw_slice_by_group ON tw_slice (job, grp)`,
  // want: 0 run, 1 stop; node: of tw_node_load
  `CREATE TABLE tw_placed (
    id INTEGER PRIMARY KEY, slice INTEGER NOT NULL, idx INTEGER NOT NULL, node INTEGER NOT NULL, version INTEGER NOT NULL,
    incarnation INTEGER NOT NULL, state INTEGER NOT NULL, want INTEGER NOT NULL, is_reaped INTEGER NOT NULL, gpu_mask INTEGER NOT NULL
  )`,
  `CREATE INDEX tw_placed_to_end ON tw_placed (id) WHERE want = 1 AND is_reaped = 0`,
  `CREATE INDEX tw_placed_final ON tw_placed (slice) WHERE state >= ${FIRST_FINAL}`,
  // the last word of its agent, and how it ended
  `CREATE TABLE tw_said (
    task INTEGER PRIMARY KEY, reported TEXT, health TEXT NOT NULL DEFAULT 'starting', healthy_since INTEGER, pid INTEGER,
    ports TEXT NOT NULL DEFAULT '{}', reason TEXT NOT NULL DEFAULT '', restarts INTEGER NOT NULL DEFAULT 0, started_at INTEGER,
    ended_at INTEGER, was_healthy INTEGER NOT NULL DEFAULT 0
  )`,
  `CREATE TABLE tw_stop (task INTEGER PRIMARY KEY, position INTEGER, at INTEGER, cause TEXT)`,
  `CREATE INDEX tw_stop_overdue ON tw_stop (at) WHERE cause = '${OVERDUE_CAUSE}'`,
  // where it is another one than its slice's
  `CREATE TABLE tw_why (task INTEGER PRIMARY KEY, text TEXT NOT NULL)`,
  `CREATE TABLE tw_task_event (
    task INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, position INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (task, n)
  ) WITHOUT ROWID`,
  // who holds a static port: one task an address
  `CREATE TABLE tw_port (address TEXT NOT NULL, port INTEGER NOT NULL, task INTEGER NOT NULL, PRIMARY KEY (address, port)) WITHOUT ROWID`,
  `CREATE INDEX tw_port_by_task ON tw_port (task)`,
  // What the live tasks of a node reserve. `runs` are the tasks whose process is not reported gone (`load.ts`); `gpus` the
  // thousandths in use of each device, as JSON; `position` that of the last change.
  `CREATE TABLE tw_node_load (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cpu_milli INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,
    disk_bytes INTEGER NOT NULL, gpus TEXT NOT NULL, tasks INTEGER NOT NULL, position INTEGER NOT NULL, runs BLOB NOT NULL
  )`,
  ...AWAY_TABLES,
  `CREATE VIEW tw_task AS SELECT ${TASK_COLUMNS} FROM ${TASK_JOINS}`,
  `CREATE VIEW tw_node_use AS SELECT name AS node, cpu_milli, memory_bytes, disk_bytes, gpus, tasks FROM tw_node_load`,
]
