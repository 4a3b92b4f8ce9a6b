import { isRefusal, MusterError } from '../../core/kernel/errors.ts'
import type { KeptLease, Lease, StoreClient } from '../../client/connect.ts'
import { delayTtlMs } from '../../core/delos/recipes/etcd/lock.ts'
import type { Turn } from '../../core/delos/recipes/etcd/queue.ts'
import { leaseName, only, rangeRequest } from '../../core/delos/recipes/etcd/request.ts'
import type { Recipe } from '../../core/delos/recipes/etcd/step.ts'
import { WATCH_FILTER, type TxnRequest } from '../../core/delos/wire/messages.ts'
import type { PlaceTimes } from '../flags/store.ts'
import { listenForSignals, type Interrupt } from '../lock/interrupt.ts'
import { runUnderLease } from '../lock/run-under-lease.ts'
import { keyText } from './key-text.ts'

/** What is held, as commands are told of it and scripts read it. */
export interface Place {
  name: string
  key: string
  /** create_revision of the key: the fencing token */
  token: number
  /** in hexadecimal, as in keys */
  lease: string
}

export interface Holding<State, Held extends Turn> extends PlaceTimes {
  name: string
  /** `the lock db`, in messages */
  what: string
  recipe: (lease: bigint) => Recipe<State, Held>
  /** CMD; empty: hold until we are interrupted, or with `isBrief` not at all */
  command: readonly string[]
  isBrief?: boolean
  /** the lease, and with it the place, is left to its time instead of being given back */
  isLeft?: boolean
  /** `LOCK`: CMD gets MUSTER_LOCK_KEY, …_TOKEN, …_LEASE and …_NAME */
  prefix: string
  note: (text: string) => void
  /** told once it is held, if there is no command whose output it would disturb */
  onHeld: (place: Place) => Promise<void>
  /** what the wait being over means; DELOS_STILL_WAITING without it */
  late?: () => Promise<MusterError>
  /** a time for which the place stays taken when its lease is lost, and what leaves it so under a lease of its own */
  delay?: { ms: number; leave: (held: Held, lease: bigint) => TxnRequest }
  /** what is to be waited for after CMD */
  leave?: (client: StoreClient, held: Held, signal: AbortSignal) => Promise<unknown>
}

/**
 * Takes a place, runs CMD in it or just stays, and gives it back; gives the exit code (128 + n after a signal, of ours or of CMD). Rejects
 * with DELOS_PLACE_LOST when the lease could not be kept or the place was taken away: CMD was stopped before the lease could end.
 */
export async function hold<State, Held extends Turn>(client: StoreClient, options: Holding<State, Held>): Promise<number> {
  const interrupt = listenForSignals()
  let lease: Lease | null = null
  let delay: { id: bigint; stop: () => void } | null = null
  let isLeft = false
  try {
    lease = await client.grantLease(options.ttlMs, interrupt.signal)
    // The store may grant more than was asked for, never less.
    const kept = client.keepAlive(lease, Math.min(options.graceMs, lease.ttlMs / 2))
    try {
      const held = await waitForTurn(client, options, lease, kept, interrupt)
      if (options.delay !== undefined) delay = await leaveDelay(client, options, held, options.delay, lease, interrupt)
      const code = await inPlace(client, options, held, kept, interrupt)
      isLeft = options.isLeft === true && code === 0
      return code
    } finally {
      kept.stop()
    }
  } catch (error) {
    if (interrupt.signal.aborted && !isRefusal(error)) return interrupt.exitCode()
    throw error
  } finally {
    // CMD is over, so nothing is left to wait for. First the delay: who is woken by the end of the place must not find it.
    delay?.stop()
    if (delay !== null) await client.revoke(delay.id, AbortSignal.timeout(2000)).catch(() => undefined)
    // One revision for all of its keys. Without a server the lease ends by itself.
    if (lease !== null && !isLeft) await client.revoke(lease.id, AbortSignal.timeout(2000)).catch(() => undefined)
    interrupt.stop()
    client.close()
  }
}

/** Before CMD begins: from here on the place stays taken for the delay if we are gone. */
async function leaveDelay<State, Held extends Turn>(
  client: StoreClient,
  options: Holding<State, Held>,
  held: Held,
  { ms, leave }: NonNullable<Holding<State, Held>['delay']>,
  place: Lease,
  interrupt: Interrupt,
): Promise<{ id: bigint; stop: () => void }> {
  const lease = await client.grantLease(delayTtlMs(place.ttlMs, ms), interrupt.signal)
  const { succeeded } = await client.txn(leave(held, lease.id), { isRepeatable: true })
  if (!succeeded) throw lost(options.what, 'before it could be used')
  // As often as the lease of the place.
  return { id: lease.id, stop: client.keepAlive({ ...lease, ttlMs: place.ttlMs }, 0).stop }
}

async function waitForTurn<State, Held extends Turn>(
  client: StoreClient,
  options: Holding<State, Held>,
  lease: Lease,
  kept: KeptLease,
  interrupt: Interrupt,
): Promise<Held> {
  const hint = setTimeout(() => options.note(`waiting for ${options.what} …`), 500)
  try {
    return await client.run(options.recipe(lease.id), { signal: AbortSignal.any([kept.signal, interrupt.signal]), waitMs: options.waitMs })
  } catch (error) {
    if (isRefusal(error)) {
      if (error.code !== 'DELOS_STILL_WAITING') throw error
      throw options.late === undefined ? stillWaiting(options.what, options.waitMs) : await options.late()
    }
    if (kept.signal.aborted && !interrupt.signal.aborted) throw lost(options.what, 'while waiting for it')
    throw error
  } finally {
    clearTimeout(hint)
  }
}

async function inPlace<State, Held extends Turn>(
  client: StoreClient,
  options: Holding<State, Held>,
  held: Held,
  kept: KeptLease,
  interrupt: Interrupt,
): Promise<number> {
  const place: Place = { name: options.name, key: keyText(held.key), token: held.token, lease: leaseName(held.lease) }
  if (options.command.length === 0 || options.isBrief === true) await options.onHeld(place)
  if (options.isBrief === true) return 0
  const over = new AbortController()
  const taken = new AbortController()
  void untilGone(client, held, over.signal).then((isGone) => isGone && taken.abort())
  const signal = AbortSignal.any([kept.signal, taken.signal])
  try {
    const code =
      options.command.length === 0
        ? await stay(options, signal, interrupt)
        : await runUnderLease({
            command: options.command,
            env: { ...process.env, ...environment(options.prefix, place) },
            graceMs: options.graceMs,
            lease: { signal, endsAt: kept.endsAt },
            interrupt,
            onLost: () => options.note(`▲ ${options.what} cannot be kept: stopping the command`),
            lost: () => lost(options.what, 'while the command ran, so it was stopped'),
          })
    over.abort()
    if (options.leave !== undefined && !interrupt.signal.aborted) {
      await options.leave(client, held, AbortSignal.any([interrupt.signal, kept.signal])).catch((error: unknown) => {
        throw kept.signal.aborted && !interrupt.signal.aborted ? lost(options.what, 'while waiting for the others to leave') : error
      })
    }
    return code
  } finally {
    over.abort()
  }
}

async function stay({ what }: { what: string }, gone: AbortSignal, interrupt: Interrupt): Promise<number> {
  const any = AbortSignal.any([gone, interrupt.signal])
  if (!any.aborted) await new Promise((resolve) => any.addEventListener('abort', resolve, { once: true }))
  if (interrupt.signal.aborted) return interrupt.exitCode()
  throw lost(what, "with its lease, or by somebody's hand")
}

/** True once the key of a turn is gone; false when the signal ends the question. */
async function untilGone(client: StoreClient, { key, token }: Turn, signal: AbortSignal): Promise<boolean> {
  for (let from = token + 1; !signal.aborted;) {
    try {
      for await (const _ of client.watch(only(key), { from, filters: [WATCH_FILTER.noPut] }, signal)) return true
    } catch (error) {
      // Anything but a compaction leaves it to the lease to say when the place is over.
      if (!isRefusal(error) || error.code !== 'DELOS_REVISION') return false
      const found = await client.range(rangeRequest(only(key)), signal).catch(() => null)
      if (found === null) return false
      if (found.kvs[0]?.create_revision !== token) return true
      from = found.header.revision + 1
    }
  }
  return false
}

function environment(prefix: string, { name, key, token, lease }: Place): NodeJS.ProcessEnv {
  return {
    [`MUSTER_${prefix}_NAME`]: name,
    [`MUSTER_${prefix}_KEY`]: key,
    [`MUSTER_${prefix}_TOKEN`]: String(token),
    [`MUSTER_${prefix}_LEASE`]: lease,
  }
}

function lost(what: string, when: string): MusterError {
  return new MusterError('DELOS_PLACE_LOST', `${what} was lost ${when}`)
}

export function stillWaiting(what: string, waitMs: number): MusterError {
  return new MusterError('DELOS_STILL_WAITING', `${what} did not come in ${waitMs} ms`)
}
