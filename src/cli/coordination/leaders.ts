import type { StoreClient } from '../../client/connect.ts'
import { leaderRequest, NOTHING_OBSERVED, observe } from '../../core/delos/recipes/etcd/election.ts'
import { textOf } from '../../core/delos/recipes/etcd/request.ts'
import type { LeaderView } from '../render/coordination.ts'
import { keyOf, keyText } from './key-text.ts'

/** Who leads, and every leader and value after it, until the signal is aborted. One that led between two looks may be missed. */
export async function* leaders(client: StoreClient, name: string, signal: AbortSignal): AsyncGenerator<LeaderView> {
  let state = NOTHING_OBSERVED
  const look = async () => observe(keyOf(name), state, await client.range(leaderRequest(keyOf(name)), signal))
  const first = await look()
  state = first.state
  if (first.tell !== null) yield viewOf(name, first.tell)
  for await (const { revision } of client.watch(first.range, { from: first.from }, signal)) {
    // A look has seen this change already.
    if (revision <= state.revision) continue
    const seen = await look()
    state = seen.state
    if (seen.tell !== null) yield viewOf(name, seen.tell)
  }
}

function viewOf(name: string, kv: { key: string; value: Uint8Array; create_revision: number }): LeaderView {
  return { name, value: textOf(kv.value), key: keyText(kv.key), token: kv.create_revision }
}
