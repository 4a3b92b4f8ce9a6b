import type { Controller } from '../../contracts/controller.ts'
import { nodeLost, nodeReturned } from '../entries/nodes.ts'
import type { NodeRow } from '../rows.ts'
import { LOST_MS, type TwSoft } from '../soft.ts'
import { earliest } from './wake.ts'

/** A beat so fresh that a lost node counts as back. */
const RETURN_FRESH_MS = 3000

/**
 * Silent nodes become lost, speaking ones return. Mass-loss guard: when more than max(5, 10 %) of the nodes are
 * silent at once, the fault is rather here than there, and nothing is given up.
 */
export const livenessController: Controller<TwSoft> = {
  name: 'tw.nodes',
  wakes: ['tw.Node'],
  decide: (db, now, soft) => {
    const nodes = db.all<Pick<NodeRow, 'name' | 'state' | 'boot_id'>>('SELECT name, state, boot_id FROM tw_node ORDER BY name')
    const ready = nodes.filter((node) => node.state === 'ready').map((node) => ({ node: node.name, heardAt: heardAt(soft, node.name) }))
    const silent = ready.flatMap(({ node, heardAt: at }) => (at !== null && now - at >= LOST_MS ? [{ node, silentMs: now - at }] : []))
    const back = nodes.filter((node) => {
      const beat = soft.beats.get(node.name)
      return node.state === 'lost' && beat !== undefined && beat.connected && now - beat.at < RETURN_FRESH_MS
    })
    const isHeld = silent.length > massLossMax(nodes.length)
    return {
      entries: [...(isHeld ? [] : silent.map((it) => nodeLost.of(it))), ...back.map((node) => nodeReturned.of({ node: node.name }))],
      wakeAt: earliest(ready.map(({ heardAt: at }) => (at === null ? null : now - at >= LOST_MS ? now + 1000 : at + LOST_MS))),
    }
  },
}

/** Most nodes that may be silent at once and still be believed to be lost. */
export function massLossMax(nodes: number): number {
  return Math.max(5, Math.ceil(nodes / 10))
}

function heardAt(soft: TwSoft, node: string): number | null {
  return soft.beats.get(node)?.at ?? soft.since ?? null
}
