import type { StoreClient } from '../../client/connect.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import { insideOf, insideRequest, leaveBarrier, letIn, waitingRequest } from '../../core/delos/recipes/etcd/barrier.ts'
import { openGate, passGate } from '../../core/delos/recipes/etcd/gate.ts'
import { stillWaiting } from './hold.ts'
import { keyOf } from './key-text.ts'

/** What waits, with what its time being over means. */
async function within<T>(what: string, waitMs: number, wait: Promise<T>): Promise<T> {
  return wait.catch((error: unknown) => {
    throw isRefusal(error) && error.code === 'DELOS_STILL_WAITING' ? stillWaiting(what, waitMs) : error
  })
}

/** Waits at a barrier that somebody holds closed; gives the revision it was seen open at. */
export async function passBarrier(client: StoreClient, name: string, waitMs: number, interrupted: AbortSignal): Promise<number> {
  return (await within(`the release of ${name}`, waitMs, client.run(passGate(keyOf(name)), { signal: interrupted, waitMs }))).revision
}

/** Leaves a barrier that was entered under a lease, and waits for the others; one that is not open is left at once. */
export async function leaveEntered(
  client: StoreClient,
  { name, lease, waitMs }: { name: string; lease: bigint; waitMs: number },
  interrupted: AbortSignal,
): Promise<void> {
  const answer = await client.txn(insideRequest(keyOf(name), lease), { signal: interrupted })
  const inside = insideOf(keyOf(name), lease, answer)
  if (inside !== null)
    await within(`the leaving of the others of ${name}`, waitMs, client.run(leaveBarrier(inside), { signal: interrupted, waitMs }))
  await client.revoke(lease, interrupted)
}

/** Opens a barrier for all who wait, too few or held back; gives how many of too few were let in. */
export async function releaseBarrier(client: StoreClient, name: string): Promise<{ name: string; letIn: number; revision: number }> {
  const opened = await client.txn(openGate(keyOf(name)), { isRepeatable: true })
  const waiting = await client.range(waitingRequest(keyOf(name)))
  const { revision } = waiting.header
  const done = waiting.count === 0 ? null : await client.txn(letIn(keyOf(name), revision), { isRepeatable: true })
  return { name, letIn: done?.succeeded === true ? waiting.count : 0, revision: Math.max(revision, opened.header.revision) }
}
