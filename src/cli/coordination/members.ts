import type { StoreClient } from '../../client/connect.ts'
import { groupEvent, members, membersRequest, type Member } from '../../core/delos/recipes/etcd/group.ts'
import { leaseName, textOf, under } from '../../core/delos/recipes/etcd/request.ts'
import type { MemberView } from '../render/coordination.ts'
import { keyOf, keyText } from './key-text.ts'

export interface MemberEvent {
  revision: number
  what: 'here' | 'joined' | 'changed' | 'left'
  member: MemberView
}

export async function membersOf(client: StoreClient, name: string): Promise<{ name: string; revision: number; members: MemberView[] }> {
  const answer = await client.range(membersRequest(keyOf(name)))
  return { name, revision: answer.header.revision, members: members(keyOf(name), answer).map(viewOf) }
}

/** Who is here, then every joining, change and leaving, each once, until the signal is aborted. */
export async function* memberEvents(client: StoreClient, name: string, signal: AbortSignal): AsyncGenerator<MemberEvent> {
  const { revision, members: here } = await membersOf(client, name)
  for (const member of here) yield { revision, what: 'here', member }
  for await (const { events } of client.watch(under(keyOf(name)), { from: revision + 1, hasPrevKv: true }, signal)) {
    for (const event of events) {
      const { what, member } = groupEvent(keyOf(name), event)
      yield { revision: event.kv.mod_revision, what, member: viewOf(member) }
    }
  }
}

function viewOf({ id, data, joined, changed, lease }: Member): MemberView {
  return { id: keyText(id), data: textOf(data), joined, changed, lease: leaseName(lease) }
}
