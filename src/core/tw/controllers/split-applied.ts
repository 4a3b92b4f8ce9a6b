import type { Controller } from '../../contracts/controller.ts'
import { splitApplied } from '../entries/mesh.ts'
import type { MeshSplitRow, NodeRow } from '../rows.ts'
import type { TwSoft } from '../soft.ts'

/**
 * A split is applied when every node that is not lost has a proxy working from it. A silent node holds it back until it
 * is lost: its proxy may still send by the old split.
 */
export const splitController: Controller<TwSoft> = {
  name: 'tw.mesh',
  wakes: ['tw.Split', 'tw.Node', 'tw.DomainLost'],
  decide: (db, _now, soft) => {
    // The nodes, which may be many, are looked at only while one is waited for.
    const waiting = db.all<MeshSplitRow>('SELECT * FROM tw_mesh_split WHERE applied_at IS NULL ORDER BY service')
    if (waiting.length === 0) return { entries: [], wakeAt: null }
    const nodes = db.all<Pick<NodeRow, 'name'>>("SELECT name FROM tw_node WHERE state = 'ready'")
    const slowest = nodes.reduce((least, { name }) => Math.min(least, soft.beats.get(name)?.meshPosition ?? 0), Infinity)
    const applied = nodes.length === 0 ? [] : waiting.filter(({ position }) => position <= slowest)
    return {
      entries: applied.map(({ service, epoch, position }) => splitApplied.of({ service, epoch, position, proxies: nodes.length })),
      wakeAt: null,
    }
  },
}
