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
/** Bounds of one decision, which holds everybody else up: ended tasks it looks at, and takes away. */
const LOOKED_MAX = 10_000
const FORGET_MAX = 500
const NODES_MAX = 100
const LOOK_AGAIN_MS = 600_000
/** Where more has ended than one decision looks at, the next part's turn comes so soon. */
const TURN_MS = 10_000
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
    const parts = partsOf(endedGroups(db), LOOKED_MAX)
    const old: number[] = []
    for (const group of parts[Math.floor(now / TURN_MS) % parts.length] ?? [])
      if (old.length < FORGET_MAX) old.push(...oldTasks(db, group, now, FORGET_MAX - old.length))
    if (old.length > 0) entries.push(tasksForgotten.of({ ids: old.sort((a, b) => a - b) }))
    const nodes = longLost(db, now)
    if (nodes.length > 0) entries.push(nodesForgotten.of({ nodes }))
    const isFull = old.length === FORGET_MAX || nodes.length === NODES_MAX
    const next = earliest(faults.map((fault) => (fault.until_ms > now ? fault.until_ms : null)))
    const againMs = isFull ? GO_ON_MS : parts.length > 1 ? TURN_MS : LOOK_AGAIN_MS
    return { entries, wakeAt: earliest([next, now + againMs]) }
  },
}

export interface EndedGroup {
  job: string
  grp: string
  /** its tasks in a final state that does not have to stay */
  ended: number
}

/** Groups with so many ended tasks that some may be too many, by the counts alone: the live ones, which may be millions, cost nothing. */
function endedGroups(db: ReadDb): EndedGroup[] {
  return db.all<EndedGroup>(
    `SELECT t.job, t.grp, sum(t.known - t.active - t.stopping - iif(j.kind IN ('batch', 'sysbatch'), t.complete, 0)) AS ended
       FROM tw_tally t LEFT JOIN tw_job j ON j.name = t.job GROUP BY t.job, t.grp HAVING ended > ${ENDED_KEPT_MIN} ORDER BY t.job, t.grp`,
  )
}

/** Parts whose turns come one after the other: as many groups as have at most `max` ended tasks together, or one that has more. */
export function partsOf(groups: readonly EndedGroup[], max: number): EndedGroup[][] {
  const parts: EndedGroup[][] = []
  let part: EndedGroup[] = []
  let sum = 0
  for (const group of groups) {
    if (part.length === 0 || sum + group.ended > max) {
      part = []
      parts.push(part)
      sum = 0
    }
    part.push(group)
    sum += group.ended
  }
  return parts
}

/** Ended tasks of a group whose time is over, oldest placement first. */
function oldTasks(db: ReadDb, { job, grp }: EndedGroup, now: number, max: number): number[] {
  const rows = db.all<{ id: number }>(
    `SELECT id FROM (SELECT p.id, a.ended_at, p.is_reaped, row_number() OVER (PARTITION BY p.idx ORDER BY p.id DESC) AS age
       FROM tw_slice s JOIN tw_placed p INDEXED BY tw_placed_final ON p.slice = s.id JOIN tw_said a ON a.task = p.id
       WHERE s.job = ? AND s.grp = ? AND p.state >= ${FIRST_FINAL}
         AND NOT (p.state = ${COMPLETE} AND EXISTS (SELECT 1 FROM tw_job j WHERE j.name = s.job AND j.kind IN ('batch', 'sysbatch'))))
     WHERE age > ? AND ended_at <= ? AND is_reaped = 1 ORDER BY id LIMIT ?`,
    job,
    grp,
    ENDED_KEPT_MIN,
    now - ENDED_KEPT_MS,
    max,
  )
  return rows.map(({ id }) => id)
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
