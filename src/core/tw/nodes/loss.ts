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
  /** the same of many at once, all of which their peers do not reach */
  domainMs: number
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
/** So few are no domain, but each on its own. */
const FEW_MAX = 5
const PEERS = 3
/** Of {@link PEERS} that have to fail. */
const FAILED_MIN = 2

/** Most nodes that may be silent at once and still be believed to be lost, each on its own. */
export function massLossMax(nodes: number): number {
  return Math.max(FEW_MAX, Math.ceil(nodes / 10))
}

export function judgeLoss({ silent, recentlyLost, total, looks, lostMs, domainMs, isGrace = false }: LossInput): LossVerdict {
  const due = silent.filter((node) => node.silentMs >= lostMs)
  const speaking = total - recentlyLost - silent.length
  const isMass = total > 1 && silent.length + recentlyLost > massLossMax(total)
  const domain = speaking * 2 < total ? null : domainIn(silent, due, looks, domainMs)
  if (domain !== null && (isMass || domain.nodes.length > FEW_MAX)) return domain
  if (due.length === 0) return { kind: 'none' }
  if (!isMass) {
    const nodes = isGrace ? due.filter(({ node }) => isGone(looks.get(node))) : due
    return nodes.length === 0 ? { kind: 'none' } : { kind: 'nodes', nodes }
  }
  if (speaking * 2 < total) return { kind: 'held', why: `only ${speaking} of ${total} nodes report` }
  const gone = due.filter(({ node }) => isGone(looks.get(node))).length
  const reached = due.filter(({ node }) => (looks.get(node)?.reached ?? 0) > PEERS - FAILED_MIN).length
  return {
    kind: 'held',
    why:
      reached > 0
        ? `peers reach ${reached} of ${due.length} silent nodes`
        : `peers say of ${gone} of ${due.length} silent nodes that they are gone`,
  }
}

/**
 * A domain that is lost by the word of its peers. While more nodes are falling silent it is waited for them, since they belong together, but
 * not longer than a single node is.
 */
function domainIn(
  silent: readonly SilentNode[],
  due: readonly SilentNode[],
  looks: LossInput['looks'],
  domainMs: number,
): Extract<LossVerdict, { kind: 'domain' }> | null {
  const asked = silent.filter((node) => node.silentMs >= domainMs)
  if (asked.length === 0 || (asked.length < silent.length && due.length === 0)) return null
  const gone = asked.filter(({ node }) => isGone(looks.get(node)))
  return gone.length >= asked.length * DOMAIN_SHARE ? { kind: 'domain', domain: domainOf(gone), nodes: gone } : null
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
