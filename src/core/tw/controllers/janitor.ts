import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { faultRuleSet } from '../entries/mesh.ts'
import { nodesForgotten } from '../entries/nodes.ts'
import { tasksForgotten } from '../entries/tasks.ts'
import type { MeshFaultRow } from '../rows.ts'
import type { TwSoft } from '../soft.ts'
import { liveOnNode } from '../tasks/read.ts'
import { COMPLETE, FIRST_FINAL } from '../tasks/tables.ts'
import { earliest } from './wake.ts'

/** Final tasks stay this long, and of each index the last few for ever. */
const ENDED_KEPT_MS = 3_600_000
const ENDED_KEPT_MIN = 5
/** A lost node is listed this long, and longer if somebody has said something of it that its return must find. */
const LOST_KEPT_MS = 86_400_000
const FORGET_MAX = 500
const NODES_MAX = 100
const LOOK_AGAIN_MS = 600_000
/** Where more is over than goes into one entry. */
const GO_ON_MS = 1000

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
    const old = db.all<{ id: number }>(
      // By the index of final tasks: the live ones, which may be millions, cost nothing.
      `SELECT id FROM (SELECT p.id, a.ended_at, p.is_reaped, row_number() OVER (PARTITION BY s.job, s.grp, p.idx ORDER BY p.id DESC) AS age
         FROM tw_placed p INDEXED BY tw_placed_final JOIN tw_slice s ON s.id = p.slice JOIN tw_said a ON a.task = p.id WHERE p.state >= ${FIRST_FINAL}
           AND NOT (p.state = ${COMPLETE} AND EXISTS (SELECT 1 FROM tw_job j WHERE j.name = s.job AND j.kind IN ('batch', 'sysbatch'))))
       WHERE age > ? AND ended_at <= ? AND is_reaped = 1 ORDER BY id LIMIT ?`,
      ENDED_KEPT_MIN,
      now - ENDED_KEPT_MS,
      FORGET_MAX,
    )
    if (old.length > 0) entries.push(tasksForgotten.of({ ids: old.map((row) => row.id) }))
    const nodes = longLost(db, now)
    if (nodes.length > 0) entries.push(nodesForgotten.of({ nodes }))
    const isFull = old.length === FORGET_MAX || nodes.length === NODES_MAX
    const next = earliest(faults.map((fault) => (fault.until_ms > now ? fault.until_ms : null)))
    return { entries, wakeAt: earliest([next, now + (isFull ? GO_ON_MS : LOOK_AGAIN_MS)]) }
  },
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
