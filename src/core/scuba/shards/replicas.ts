import { ranked } from './rendezvous.ts'

/** A leaf as a place for copies. */
export interface Holder {
  id: string
  /** null: the leaf beside the server, which no other leaf calls */
  address: string | null
  node: string | null
  /** it has not answered for so long that it is lost */
  isLost: boolean
}

/**
 * Which leaves hold the copies of one leaf's rows, at most `count`. Never one of the same node, nor one that it cannot call: only what is on the
 * server's machine reaches the sockets there, and only those that hold a certificate (the server's own, those of other machines) speak TLS.
 * Who holds one keeps it, because a copy costs; new ones are chosen by rendezvous, so that a leaf more or less moves few. A lost one is
 * replaced when there is another, and waited for when there is none.
 */
export function planReplicas(primary: Holder, leaves: readonly Holder[], kept: readonly string[], count: number): string[] {
  const able = leaves.filter((leaf) => leaf.id !== primary.id && canCall(primary, leaf))
  const present = able.filter(({ isLost }) => !isLost)
  const before = kept.flatMap((id) => present.filter((leaf) => leaf.id === id))
  const fresh = ranked(
    primary.id,
    present.filter(({ id }) => !kept.includes(id)).map((leaf) => ({ ...leaf, sinceMs: 0 })),
  )
  const lost = kept.filter((id) => able.some((leaf) => leaf.id === id && leaf.isLost))
  const nodes = new Set<string | null>([primary.node])
  const chosen: string[] = []
  for (const leaf of [...before, ...fresh, ...able.filter(({ id }) => lost.includes(id))]) {
    if (chosen.length === count || nodes.has(leaf.node)) continue
    nodes.add(leaf.node)
    chosen.push(leaf.id)
  }
  return chosen
}

const isHere = ({ address }: Holder): boolean => address === null || address.startsWith('unix:')

function canCall(from: Holder, to: Holder): boolean {
  if (to.address === null) return false
  return from.address === null || isHere(from) === isHere(to)
}
