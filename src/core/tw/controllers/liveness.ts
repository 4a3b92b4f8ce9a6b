import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { nodesInService } from '../entitlements/domains.ts'
import { domainLost, lossEnded, lossHeld, nodeLost, nodeReturned } from '../entries/nodes.ts'
import { judgeLoss, LOSS_WINDOW_MS, type SilentNode } from '../nodes/loss.ts'
import type { NodeRow } from '../rows.ts'
import { DOMAIN_LOST_MS, LOST_MS, SUSPECT_MS, type PeerLook, type TwSoft } from '../soft.ts'
import { earliest } from './wake.ts'

/** A beat so fresh that a lost node counts as back. */
const RETURN_FRESH_MS = 3000
/** While somebody is silent, it is looked again so soon. */
const LOOK_MS = 500
/** Nodes in one entry: each of them may have hundreds of tasks to end, and each group is counted anew for each part. */
const DOMAIN_PART = 2000

/**
 * Silent nodes become lost, speaking ones return. Its work follows the silent and the lost nodes; of the others it only reads how old their
 * last beats are.
 */
export const livenessController: Controller<TwSoft> = {
  name: 'tw.nodes',
  wakes: ['tw.Node', 'tw.DomainLost', 'tw.Loss'],
  decide: (db, now, soft) => {
    const lost = lostNodes(db)
    const { silent, freshest } = silentNodes(db, soft, new Set(lost.map(({ name }) => name)))
    const held = db.get<{ nodes: number }>('SELECT nodes FROM tw_loss_hold')
    const entries: Proposal[] = lost.flatMap(({ name }) => (isBack(soft, name) ? [nodeReturned.of({ node: name })] : []))
    if (silent.length > 0) entries.push(...losses(db, soft, silent, lost, now, held))
    else if (held !== undefined) entries.push(lossEnded.of({}))
    const next = silent.map(
      ({ silentMs }) => now + Math.min(LOOK_MS, ...[DOMAIN_LOST_MS, LOST_MS].flatMap((ms) => (silentMs < ms ? ms - silentMs : []))),
    )
    return {
      entries,
      wakeAt: earliest([freshest === null ? null : now + SUSPECT_MS - freshest, ...next, lost.length === 0 ? null : now + LOOK_MS]),
    }
  },
}

function losses(
  db: ReadDb,
  soft: TwSoft,
  silent: SilentNode[],
  lost: readonly LostNode[],
  now: number,
  held: { nodes: number } | undefined,
): Proposal[] {
  const recentlyLost = lost.filter(({ name, changed_at: at }) => now - at < LOSS_WINDOW_MS && !isBack(soft, name)).length
  const total = nodesInService(db) + recentlyLost
  const looks = soft.looks ?? new Map<string, PeerLook>()
  const verdict = judgeLoss({ silent, recentlyLost, total, looks, lostMs: LOST_MS, domainMs: DOMAIN_LOST_MS, isGrace: isGrace(db, now) })
  const ended = held === undefined ? [] : [lossEnded.of({})]
  switch (verdict.kind) {
    case 'none':
      return []
    case 'nodes':
      // The last ones of those that were held are about to return: they have a while from here.
      return held === undefined ? verdict.nodes.map(({ node, silentMs }) => nodeLost.of({ node, silentMs })) : ended
    case 'domain':
      return [...ended, ...domainParts(verdict.domain, verdict.nodes)]
    case 'held':
      return held === undefined ? [lossHeld.of({ nodes: silent.length, why: verdict.why })] : []
  }
}

/** Whether it became clear so lately who is there that the last silent ones may be about to return. */
function isGrace(db: ReadDb, now: number): boolean {
  const ended = db.get<{ at: number }>('SELECT at FROM tw_loss_ended')
  return ended !== undefined && now >= ended.at && now - ended.at < LOST_MS
}

function domainParts(domain: string, nodes: readonly SilentNode[]): Proposal[] {
  const parts: Proposal[] = []
  for (let i = 0; i < nodes.length; i += DOMAIN_PART) {
    const part = nodes.slice(i, i + DOMAIN_PART)
    const silentMs = Math.max(...part.map((node) => node.silentMs))
    parts.push(domainLost.of({ domain, total: nodes.length, isFirst: i === 0, silentMs, nodes: part.map(({ node }) => node) }))
  }
  return parts
}

type LostNode = Pick<NodeRow, 'name' | 'changed_at'>

function lostNodes(db: ReadDb): LostNode[] {
  return db.all<LostNode>("SELECT name, changed_at FROM tw_node WHERE state = 'lost' ORDER BY name")
}

/** Those in service that are suspect, by name, and how old the oldest beat of all others is. */
function silentNodes(db: ReadDb, soft: TwSoft, lost: ReadonlySet<string>): { silent: SilentNode[]; freshest: number | null } {
  const ages = new Map<string, number>()
  let oldest: number | null = null
  for (const [name, { ageMs }] of soft.beats) {
    if (ageMs < SUSPECT_MS) oldest = Math.max(oldest ?? 0, ageMs)
    // A lost zone is silent for long, and looked at twice a second.
    else if (!lost.has(name)) ages.set(name, Math.floor(ageMs))
  }
  if (ages.size === 0) return { silent: [], freshest: oldest }
  const rows = db.all<Omit<SilentNode, 'silentMs'>>(
    "SELECT name AS node, rack, zone, region FROM tw_node WHERE state = 'ready' AND name IN (SELECT value FROM json_each(?)) ORDER BY name",
    JSON.stringify([...ages.keys()]),
  )
  return { silent: rows.map((row) => ({ ...row, silentMs: ages.get(row.node) ?? 0 })), freshest: oldest }
}

function isBack(soft: TwSoft, node: string): boolean {
  const beat = soft.beats.get(node)
  return beat !== undefined && beat.connected && beat.ageMs < RETURN_FRESH_MS
}
