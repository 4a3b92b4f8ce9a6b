import type { PeerLook } from '../soft.ts'

/*
 * Whom to give up. One silent node is dead, or as good as that; many at once are more often a fault of the network in front of the server, and
 * giving all of them up would start everything a second time. So many are given up only on the word of their peers.
 */

export interface SilentNode {
  node: string
  silentMs: number
  rack: string
  zone: string
  region: string
}

export interface LossInput {
  /** silent at least {@link SUSPECT_MS}, and not given up yet */
  silent: readonly SilentNode[]
  /** given up within {@link LOSS_WINDOW_MS}: they count, or a fault that silences one node after the other would never look like one */
  recentlyLost: number
  /** nodes that are in service, with those given up within the window */
  total: number
  looks: ReadonlyMap<string, PeerLook>
  /** silent so long, a node is given up */
  lostMs: number
  /** it was held a moment ago: who is silent still may be about to return, and is given up on the word of its peers alone */
  isGrace?: boolean
}

export type LossVerdict =
  | { kind: 'none' }
  /** each on its own */
  | { kind: 'nodes'; nodes: SilentNode[] }
  /** all at once, since their peers do not reach them either */
  | { kind: 'domain'; domain: string; nodes: SilentNode[] }
  /** nothing is given up, and somebody is to look */
  | { kind: 'held'; why: string }

/** In which so many nodes falling silent belong together. */
export const LOSS_WINDOW_MS = 30_000
/** Share of the silent ones whose peers have to say that they are gone. */
const DOMAIN_SHARE = 0.9
const PEERS = 3
/** Of {@link PEERS} that have to fail. */
const FAILED_MIN = 2

/** Most nodes that may be silent at once and still be believed to be lost, each on its own. */
export function massLossMax(nodes: number): number {
  return Math.max(5, Math.ceil(nodes / 10))
}

export function judgeLoss({ silent, recentlyLost, total, looks, lostMs, isGrace = false }: LossInput): LossVerdict {
  const due = silent.filter((node) => node.silentMs >= lostMs)
  if (total <= 1 || silent.length + recentlyLost <= massLossMax(total)) {
    const nodes = isGrace ? due.filter(({ node }) => isGone(looks.get(node))) : due
    return nodes.length === 0 ? { kind: 'none' } : { kind: 'nodes', nodes }
  }
  if (due.length === 0) return { kind: 'none' }
  const speaking = total - recentlyLost - silent.length
  if (speaking * 2 < total) return { kind: 'held', why: `only ${speaking} of ${total} nodes report` }
  const gone = due.filter(({ node }) => isGone(looks.get(node)))
  const reached = due.filter(({ node }) => (looks.get(node)?.reached ?? 0) > PEERS - FAILED_MIN).length
  if (gone.length >= due.length * DOMAIN_SHARE) return { kind: 'domain', domain: domainOf(gone), nodes: gone }
  return {
    kind: 'held',
    why:
      reached > 0
        ? `peers reach ${reached} of ${due.length} silent nodes`
        : `peers say of ${gone.length} of ${due.length} silent nodes that they are gone`,
  }
}

function isGone(look: PeerLook | undefined): boolean {
  return look !== undefined && look.failed >= FAILED_MIN
}

/** The smallest domain that holds nearly all of them, as people name it. */
function domainOf(nodes: readonly SilentNode[]): string {
  for (const level of ['rack', 'zone', 'region'] as const) {
    const counts = Map.groupBy(nodes, (node) => node[level])
    for (const [name, inside] of counts) if (inside.length >= nodes.length * DOMAIN_SHARE) return `${level} ${name}`
  }
  return `${nodes.length} nodes`
}
