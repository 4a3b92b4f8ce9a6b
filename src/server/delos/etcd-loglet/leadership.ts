import type { StoreClient } from '../../../client/connect.ts'
import { bytesOf, firstAt, only, read, textOf, txn } from '../../../core/delos/recipes/etcd/request.ts'
import type { LogletKeys } from './keys.ts'
import { claimRequest } from './requests.ts'

/** Who leads while the log is in etcd: the holder of a key that goes with its lease. It lets leases expire, under the epoch of its claim. */
export interface Leadership {
  /** Looks who leads, and claims it if nobody does. */
  look(): void
  stop(): Promise<void>
}

export interface LeadershipOptions {
  client: StoreClient
  keys: LogletKeys
  self: number
  /** the last round of the loglets before */
  lastRound: number
  /** claims at once; the others wait a little, so that the leader stays the same over a switch */
  isOpener: boolean
  onLeader: (leader: number | null, term: number) => void
}

const TTL_MS = 2000
const GRACE_MS = 200
const LOOK_MS = 250
/** How long others leave the claim to the one who opened the loglet. */
const COURTESY_MS = 1500

export function leadEtcdLoglet({ client, keys, self, lastRound, isOpener, onLeader }: LeadershipOptions): Leadership {
  const stopped = new AbortController()
  const startedAt = performance.now()
  let leave: (() => Promise<void>) | null = null
  let isLooking = false
  let isDue = false

  const lookOnce = async (): Promise<void> => {
    const seen = await client.txn(txn([], [read(only(keys.leader)), read(only(keys.term)), read(only(keys.sealed))]))
    const holder = firstAt(seen, 0)
    const termKey = firstAt(seen, 1)
    const term = Math.max(lastRound, termKey === null ? 0 : Number(textOf(termKey.value)))
    if (holder !== null) {
      const { server, term: claimed } = JSON.parse(textOf(holder.value)) as { server: number; term: number }
      // One of an earlier life of this server ends with its lease.
      if (server !== self || leave !== null) onLeader(server, claimed)
      return
    }
    onLeader(null, term)
    if (firstAt(seen, 2) !== null || stopped.signal.aborted) return
    if (!isOpener && performance.now() - startedAt < COURTESY_MS) return
    await claim(term + 1, termKey?.mod_revision ?? 0)
  }

  const claim = async (term: number, termSeen: number): Promise<void> => {
    const lease = await client.grantLease(TTL_MS)
    const request = claimRequest(keys, termSeen, bytesOf(JSON.stringify({ server: self, term })), bytesOf(String(term)), lease.id)
    const answer = await client.txn(request).catch((error: unknown) => {
      // It may have been done: without the lease it is undone.
      void client.revoke(lease.id).catch(() => undefined)
      throw error
    })
    if (!answer.succeeded || stopped.signal.aborted) return client.revoke(lease.id)
    const kept = client.keepAlive(lease, GRACE_MS)
    leave = async () => {
      leave = null
      kept.stop()
      await client.revoke(lease.id).catch(() => undefined)
    }
    kept.signal.addEventListener('abort', () => {
      leave = null
      onLeader(null, term)
      look()
    })
    onLeader(self, term)
  }

  const look = (): void => {
    isDue = true
    if (isLooking || stopped.signal.aborted) return
    isLooking = true
    void (async () => {
      while (isDue && !stopped.signal.aborted) {
        isDue = false
        // Whatever is in the way: it is looked again soon.
        if (leave === null) await lookOnce().catch(() => onLeader(null, lastRound))
      }
      isLooking = false
    })()
  }
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return {
    look,
    stop: async () => {
      stopped.abort()
      clearInterval(timer)
      await leave?.()
    },
  }
}
