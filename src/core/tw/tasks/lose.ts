import type { EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { markRun } from '../runs/mark.ts'
import type { TaskRow } from '../rows.ts'
import { dropAway, waitsOf, writeAway } from './away.ts'
import { addEvent } from './events.ts'
import { countIn, idsIn, loadByName, reservedBy, writeLoad, type NodeLoad } from './load.ts'
import { taskRow } from './read.ts'
import { FIRST_FINAL, LOST, STATES } from './tables.ts'
import { moveTallies, type Counted } from './tally.ts'
import { changeTask } from './write.ts'

/** What decides what becomes of a task of a silent node, and how it was counted. */
type Live = Counted & Pick<TaskRow, 'id' | 'node'>

type Silent = Pick<NodeLoad, 'id' | 'name' | 'runs'>

/**
 * Gives up the live tasks of silent nodes at once: those that were to end anyway are stopped, the others lost; but what its group waits for
 * becomes unknown. Their agents have to know of them still, should they return. A zone has hundreds of thousands of tasks, so each statement
 * is one for all of them.
 */
export function loseTasks(db: Db, nodes: readonly string[], meta: EntryMeta): void {
  const silent = db.all<Silent>(
    'SELECT id, name, runs FROM tw_node_load WHERE tasks > 0 AND name IN (SELECT value FROM json_each(?)) ORDER BY id',
    JSON.stringify(nodes),
  )
  if (silent.length === 0) return
  const all = liveOf(db, silent)
  const waits = waitsOf(db, all)
  for (const [{ id, job, grp, node }, waitMs] of waits) {
    changeTask(db, id, { state: 'unknown', healthy_since: null })
    writeAway(db, { task: id, job, grp, since: meta.at, due_at: meta.at + waitMs, is_back: 0 })
    addEvent(db, id, meta, `unknown: ${reasonOf(node)}`)
  }
  const live = waits.size === 0 ? all : all.filter((task) => !waits.has(task))
  const awaited = new Set([...waits.keys()].map(({ node }) => node))
  empty(db, silent, live, awaited, meta)
  moveTallies(
    db,
    live.map((task) => [task, { ...task, state: task.want === 'stop' ? 'stopped' : 'lost', want: 'stop', is_terminal: 1 }]),
  )
  end(
    db,
    live.map(({ id }) => id),
    meta,
  )
  for (const job of new Set(live.map((task) => task.job))) markRun(db, job)
}

const reasonOf = (node: string): string => `node ${node} lost`

/** The live tasks of some nodes, by id. */
function liveOf(db: Db, silent: readonly Silent[]): Live[] {
  const names = new Map(silent.map(({ id, name }) => [id, name]))
  const rows = db.all<
    { id: number; slice: number; node: number; version: number; state: number; want: number } & Pick<Live, 'health' | 'restarts'>
  >(
    `SELECT p.id, p.slice, p.node, p.version, p.state, p.want, coalesce(a.health, 'starting') AS health, coalesce(a.restarts, 0) AS restarts
       FROM tw_placed p LEFT JOIN tw_said a ON a.task = p.id
       WHERE p.id IN (SELECT value FROM json_each(?)) AND p.state < ${FIRST_FINAL} ORDER BY p.id`,
    JSON.stringify(silent.flatMap(({ runs }) => idsIn(runs))),
  )
  const slices = db.all<{ id: number; job: string; grp: string }>(
    'SELECT id, job, grp FROM tw_slice WHERE id IN (SELECT value FROM json_each(?))',
    JSON.stringify([...new Set(rows.map(({ slice }) => slice))]),
  )
  const sliceOf = new Map(slices.map((slice) => [slice.id, slice]))
  return rows.map(({ id, slice, node, version, state, want, health, restarts }) => {
    const { job, grp } = must(sliceOf.get(slice), 'the slice of a task')
    return {
      ...{ id, job, grp, version, health, restarts, is_terminal: 0 as const, node: must(names.get(node), 'the node of a task') },
      ...{ state: must(STATES[state], 'a state'), want: want === 0 ? ('run' as const) : ('stop' as const) },
    }
  })
}

/** What the nodes hold from now on: nothing, but for tasks that are waited for. */
function empty(db: Db, silent: readonly Silent[], live: readonly Live[], awaited: ReadonlySet<string>, meta: EntryMeta): void {
  db.run(
    `UPDATE tw_node_load SET cpu_milli = 0, memory_bytes = 0, disk_bytes = 0, gpus = '[]', tasks = 0, position = ?
       WHERE id IN (SELECT value FROM json_each(?))`,
    meta.position,
    JSON.stringify(silent.flatMap(({ id, name }) => (awaited.has(name) ? [] : [id]))),
  )
  const load = new Map([...awaited].map((node) => [node, must(loadByName(db, node), `the load of ${node}`)]))
  for (const { id, node } of live) {
    const held = load.get(node)
    if (held !== undefined) countIn(held, reservedBy(must(taskRow(db, id), 'a task')), -1)
  }
  for (const held of load.values()) writeLoad(db, held, { position: meta.position })
}

/** Brings tasks into the final state that follows from what was asked of them. */
function end(db: Db, ids: readonly number[], meta: EntryMeta): void {
  const list = JSON.stringify(ids)
  db.run(
    `UPDATE tw_placed SET state = CASE want WHEN 1 THEN ${STATES.indexOf('stopped')} ELSE ${LOST} END, want = 1
       WHERE id IN (SELECT value FROM json_each(?))`,
    list,
  )
  db.run(
    `INSERT INTO tw_said (task, reason, ended_at) SELECT p.id, 'node ' || l.name || ' lost', ? FROM tw_placed p JOIN tw_node_load l ON l.id = p.node
       WHERE p.id IN (SELECT value FROM json_each(?)) ORDER BY p.id
       ON CONFLICT (task) DO UPDATE SET healthy_since = NULL, reason = excluded.reason, ended_at = excluded.ended_at`,
    meta.at,
    list,
  )
  if (db.get('SELECT task FROM tw_port LIMIT 1') !== undefined)
    db.run('DELETE FROM tw_port WHERE task IN (SELECT value FROM json_each(?))', list)
  if (db.get('SELECT task FROM tw_away LIMIT 1') !== undefined) dropAway(db, ids)
}
