import { isRefusal } from '../core/kernel/errors.ts'
import { METHODS } from '../core/delos/wire/methods.ts'
import type { Channel } from './channel.ts'

export interface Lease {
  id: bigint
  /** what the store granted, which may be more than was asked for */
  ttlMs: number
  /** on the clock of `performance.now()`: when it was asked for, so it cannot end before `sentAt + ttlMs` */
  sentAt: number
}

export interface KeptLease {
  /** aborted when the lease is gone, or when what is left of it is only the grace */
  signal: AbortSignal
  /** on the clock of `performance.now()`: before it the lease cannot end, counted from when its last renewal was sent */
  endsAt: () => number
  stop: () => void
}

const RETRY_MS = 200

/**
 * Renews a lease at each third of its time until stopped. While no server answers it is asked again; once only `graceMs` are left
 * until the lease may end, or the store says that it is gone, it can no longer be trusted and the signal says so.
 */
export function keepLease(channel: Channel, lease: Lease, graceMs: number): KeptLease {
  const controller = new AbortController()
  const stopped = new AbortController()
  let endsAt = lease.sentAt + lease.ttlMs
  let timer: NodeJS.Timeout | undefined
  // A timer of its own, so that a renewal that hangs does not hide that time runs out.
  let alarm: NodeJS.Timeout | undefined

  // A server that hangs leaves time to ask the others before the lease is given up.
  const answerMs = Math.max(100, Math.floor(lease.ttlMs / 6))

  const stop = (): void => {
    stopped.abort()
    clearTimeout(timer)
    clearTimeout(alarm)
  }
  const giveUp = (): void => {
    if (stopped.signal.aborted) return
    stop()
    controller.abort()
  }
  const setAlarm = (): void => {
    clearTimeout(alarm)
    alarm = setTimeout(giveUp, Math.max(0, endsAt - graceMs - performance.now()))
  }
  const renewIn = (ms: number): void => {
    timer = setTimeout(() => void renew(), ms)
  }
  const renew = async (): Promise<void> => {
    const sentAt = performance.now()
    const leftMs = Math.max(1, Math.ceil(endsAt - sentAt))
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(leftMs)])
    try {
      const answer = await channel.call(METHODS['Lease/LeaseKeepAlive'], { ID: lease.id }, { effect: 'once', signal, answerMs })
      if (stopped.signal.aborted) return
      // A lease that has ended is told by a time of 0.
      if (answer.TTL <= 0) return giveUp()
      endsAt = sentAt + answer.TTL * 1000
    } catch (error) {
      if (stopped.signal.aborted) return
      if (isRefusal(error) && error.code === 'DELOS_LEASE_UNKNOWN') return giveUp()
      // No answer counts for nothing: asked again, with the time of that sending, until only the grace is left.
      return renewIn(Math.min(RETRY_MS, lease.ttlMs / 10))
    }
    setAlarm()
    renewIn(lease.ttlMs / 3)
  }
  setAlarm()
  renewIn(Math.max(0, lease.sentAt + lease.ttlMs / 3 - performance.now()))
  return { signal: controller.signal, endsAt: () => endsAt, stop }
}
