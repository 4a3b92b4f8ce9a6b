import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import { splitApplied } from '../entries/mesh.ts'
import type { MeshSplitRow, NodeRow } from '../rows.ts'
import type { TwSoft } from '../soft.ts'

/**
 * A split is applied when every node that is not lost has a proxy working from it. A silent node holds it back until it
 * is lost: its proxy may still send by the old split.
 */
export const splitController: Controller<TwSoft> = {
  name: 'tw.mesh',
  wakes: ['tw.Split', 'tw.Node'],
  decide: (db, _now, soft) => {
    const nodes = db.all<Pick<NodeRow, 'name'>>("SELECT name FROM tw_node WHERE state = 'ready'").map((row) => row.name)
    if (nodes.length === 0) return { entries: [], wakeAt: null }
    const slowest = Math.min(...nodes.map((node) => soft.beats.get(node)?.meshPosition ?? 0))
    const entries: Proposal[] = db
      .all<MeshSplitRow>('SELECT * FROM tw_mesh_split WHERE applied_at IS NULL AND position <= ? ORDER BY service', slowest)
      .map((split) => splitApplied.of({ service: split.service, epoch: split.epoch, position: split.position, proxies: nodes.length }))
    return { entries, wakeAt: null }
  },
}
