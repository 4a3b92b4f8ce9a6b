import { isRefusal } from '../../core/kernel/errors.ts'
import type { Client } from '../client.ts'

export interface KeptLease {
  /** aborted when the lease is gone, or when what is left of it is only the grace */
  signal: AbortSignal
  /** on the clock of `performance.now()`: before it the lease cannot end, counted from when its last renewal was sent */
  endsAt: () => number
  stop: () => void
}

/** Renews a lease three times between its grace and its end, until stopped; a server that is away is asked again. */
export function keepLease(client: Client, lease: { id: string; ttlMs: number; graceMs: number; sentAt: number }): KeptLease {
  const controller = new AbortController()
  const everyMs = Math.max(50, (lease.ttlMs - lease.graceMs) / 3)
  let endsAt = lease.sentAt + lease.ttlMs
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  // A timer of its own, so that a renewal that hangs does not hide that time runs out.
  let alarm: NodeJS.Timeout | undefined

  const setAlarm = (): void => {
    clearTimeout(alarm)
    alarm = setTimeout(giveUp, Math.max(0, endsAt - lease.graceMs - performance.now()))
  }
  const giveUp = (): void => {
    stop()
    controller.abort()
  }
  const stop = (): void => {
    isStopped = true
    clearTimeout(timer)
    clearTimeout(alarm)
  }
  const renew = async (): Promise<void> => {
    const sentAt = performance.now()
    try {
      await client.call('delos.lease.keepalive', { id: lease.id }, { signal: AbortSignal.timeout(Math.max(1, Math.ceil(endsAt - sentAt))) })
      endsAt = sentAt + lease.ttlMs
    } catch (error) {
      if (isStopped) return
      if (!isRefusal(error)) throw error
      if (error.code === 'DELOS_LEASE_UNKNOWN') return giveUp()
      // The server is away, restarting or slow: asked again until only the grace is left.
    }
    if (isStopped) return
    setAlarm()
    timer = setTimeout(() => void renew(), everyMs)
  }
  setAlarm()
  timer = setTimeout(() => void renew(), everyMs)
  return { signal: controller.signal, endsAt: () => endsAt, stop }
}
