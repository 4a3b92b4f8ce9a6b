import type { MemberChange } from './plan.ts'
import { presentServers, type RegisterValue, type Server } from './value.ts'

/**
 * The next change that makes the members of `log` those of `leading`, of another log of the same servers; empty: they are. First who is
 * there and where, then who votes and who goes, so that nobody is promoted who was not let in.
 */
export function followMembers(leading: RegisterValue, log: RegisterValue): MemberChange[] {
  const here = new Map(presentServers(log).map((server) => [server.id, server]))
  const gone = new Set(log.servers.flatMap(({ id, role }) => (role === 'removed' ? [id] : [])))
  const first: MemberChange[] = []
  const then: MemberChange[] = []
  for (const server of presentServers(leading)) {
    const { id, name, addresses } = server
    const known = here.get(id)
    if (known === undefined) {
      if (!gone.has(id)) first.push({ kind: 'add', id, name, addresses, role: server.role === 'pending' ? 'pending' : 'learner' })
      continue
    }
    if (!isAlike(known, server)) first.push({ kind: 'update', server: known.server, name, addresses })
    if (server.role === 'voter' && known.role !== 'voter') then.push({ kind: 'promote', server: known.server })
  }
  const wanted = new Set(presentServers(leading).map(({ id }) => id))
  for (const { id, server } of here.values()) if (!wanted.has(id)) then.push({ kind: 'remove', server })
  return first.length > 0 ? first : then
}

function isAlike(a: Server, b: Server): boolean {
  return a.name === b.name && a.addresses.length === b.addresses.length && a.addresses.every((address, i) => address === b.addresses[i])
}
