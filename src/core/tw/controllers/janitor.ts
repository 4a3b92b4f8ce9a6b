import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { hashText } from '../../kernel/hash.ts'
import { faultRuleSet } from '../entries/mesh.ts'
import { nodesForgotten } from '../entries/nodes.ts'
import { tasksForgotten } from '../entries/tasks.ts'
import type { JobRow, MeshFaultRow } from '../rows.ts'
import type { TwSoft } from '../soft.ts'
import { liveOnNode } from '../tasks/read.ts'
import { COMPLETE, FIRST_FINAL } from '../tasks/tables.ts'
import { earliest } from './wake.ts'

/** Final tasks stay this long, and of each index the last few for ever. */
const ENDED_KEPT_MS = 3_600_000
const ENDED_KEPT_MIN = 5
/** In one look: tasks that are forgotten. */
const FORGET_MAX = 500
/** A lost node is listed this long, and longer if somebody has said something of it that its return must find. */
const LOST_KEPT_MS = 86_400_000
/** In one look: nodes that are forgotten. */
const NODES_MAX = 100
/** Groups are looked at by turns, a part of all jobs each time: every one of them in ten minutes or so. */
const PARTS = 64
const PART_MS = 10_000
/** Where more is left to forget. */
const LOOK_SOON_MS = 1000

/** Takes away what is over: expired mesh faults, old final tasks, and nodes that are lost for long. */
export const janitor: Controller<TwSoft> = {
  name: 'tw.janitor',
  wakes: ['tw.FaultRuleSet'],
  decide: (db, now) => {
    const faults = db.all<Pick<MeshFaultRow, 'id' | 'service' | 'until_ms'>>('SELECT id, service, until_ms FROM tw_mesh_fault ORDER BY id')
    const over = Map.groupBy(
      faults.filter((fault) => fault.until_ms <= now),
      (fault) => fault.service,
    )
    const entries: Proposal[] = [...over].map(([service, ended]) =>
      faultRuleSet.of({ service, add: [], remove: ended.map((fault) => fault.id), reason: 'ended' }),
    )
    const turn = Math.floor(now / PART_MS)
    const old = oldTasks(db, now, turn % PARTS)
    if (old.length > 0) entries.push(tasksForgotten.of({ ids: old }))
    const nodes = longLost(db, now)
    if (nodes.length > 0) entries.push(nodesForgotten.of({ nodes }))
    const isFull = old.length === FORGET_MAX || nodes.length === NODES_MAX
    const next = earliest(faults.map((fault) => (fault.until_ms > now ? fault.until_ms : null)))
    return { entries, wakeAt: earliest([next, isFull ? now + LOOK_SOON_MS : (turn + 1) * PART_MS]) }
  },
}

/** Tasks of one part of the jobs that ended long enough ago. What a batch completed stays with it. */
function oldTasks(db: ReadDb, now: number, part: number): number[] {
  const jobs = db
    .all<Pick<JobRow, 'name' | 'kind'>>('SELECT name, kind FROM tw_job ORDER BY name')
    .filter(({ name }) => hashText(name) % PARTS === part)
  const old: number[] = []
  for (const { name, kind } of jobs) {
    if (old.length >= FORGET_MAX) break
    const isBatch = kind === 'batch' || kind === 'sysbatch'
    const rows = db.all<{ id: number }>(
      // By the index of final tasks: the live ones, which may be millions, cost nothing.
      `SELECT id FROM (SELECT p.id, a.ended_at, p.is_reaped, row_number() OVER (PARTITION BY s.grp, p.idx ORDER BY p.id DESC) AS age
         FROM tw_slice s JOIN tw_placed p INDEXED BY tw_placed_final ON p.slice = s.id JOIN tw_said a ON a.task = p.id
         WHERE s.job = ? AND p.state >= ${FIRST_FINAL} AND (? = 0 OR p.state <> ${COMPLETE}))
       WHERE age > ? AND ended_at <= ? AND is_reaped = 1 ORDER BY id LIMIT ?`,
      name,
      isBatch ? 1 : 0,
      ENDED_KEPT_MIN,
      now - ENDED_KEPT_MS,
      FORGET_MAX - old.length,
    )
    old.push(...rows.map((row) => row.id))
  }
  return old
}

/** Not those with labels, a cordon, a profile or work: these are kept until somebody retires the node. */
function longLost(db: ReadDb, now: number): string[] {
  const names = db.all<{ name: string }>(
    `SELECT name FROM tw_node n WHERE state = 'lost' AND changed_at <= ? AND is_cordoned = 0 AND labels = '{}'
       AND NOT EXISTS (SELECT 1 FROM tw_drain d WHERE d.node = n.name) AND NOT EXISTS (SELECT 1 FROM tw_node_profile p WHERE p.node = n.name)
     ORDER BY name LIMIT ?`,
    now - LOST_KEPT_MS,
    NODES_MAX,
  )
  return names.map(({ name }) => name).filter((name) => liveOnNode(db, name).length === 0)
}
