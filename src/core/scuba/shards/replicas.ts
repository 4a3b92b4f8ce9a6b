import { ranked } from './rendezvous.ts'

/** A leaf as a place for copies. */
export interface Holder {
  id: string
  /** null: the leaf beside the only server, which no other leaf calls */
  address: string | null
  node: string | null
  /** whose certificate it shows */
  server: string | null
  /** it has not answered for so long that it is lost */
  isLost: boolean
}

/**
 * Which leaves hold the copies of one leaf's rows, at most `count`. Never one of the same node, nor one that it cannot call: only what is on the
 * server's machine reaches the sockets there, and only those that hold a certificate (a server's own, those of other machines) speak TLS.
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
  const places = new Set([placeOf(primary)])
  const chosen: string[] = []
  for (const leaf of [...before, ...fresh, ...able.filter(({ id }) => lost.includes(id))]) {
    if (chosen.length === count || places.has(placeOf(leaf))) continue
    places.add(placeOf(leaf))
    chosen.push(leaf.id)
  }
  return chosen
}

/** What goes away together: a node, or a server. */
const placeOf = ({ node, server }: Holder): string => (node === null ? `server ${server ?? ''}` : `node ${node}`)

const isHere = ({ address }: Holder): boolean => address === null || address.startsWith('unix:')

function canCall(from: Holder, to: Holder): boolean {
  if (to.address === null) return false
  return from.node === null || isHere(from) === isHere(to)
}
