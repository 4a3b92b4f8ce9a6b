import { hostname } from 'node:os'
import { delayTtlMs } from '../../core/delos/recipes/etcd/lock.ts'
import { isRefusal, MusterError } from '../../core/kernel/errors.ts'
import type { Client } from '../client.ts'
import { listenForSignals, type Interrupt } from './interrupt.ts'
import { keepLease, type KeptLease } from './keep-lease.ts'
import { runUnderLease } from './run-under-lease.ts'

export interface LockedRun {
  name: string
  ttlMs: number
  /** time the command has to end before the lease can */
  graceMs: number
  /** longest wait for the lock */
  waitMs: number
  /** content to share it with others who share it */
  isShared: boolean
  /** time for which the lock stays taken when its lease is lost; 0: none */
  lockDelayMs: number
  command: readonly string[]
  note: (text: string) => void
}

interface Standing {
  key: string
  lease: string
  token: number
  isHeld: boolean
  ahead: number
  holder: string
}

const POLL_MS = 150

/**
 * Takes the lock, runs the command under it, gives the lock back; gives the command's exit code (128 + n after a
 * signal). Rejects with DELOS_LOCK_HELD when the wait is over and DELOS_LOCK_LOST when the command had to be stopped.
 */
export async function runLocked(client: Client, options: LockedRun): Promise<number> {
  const interrupt = listenForSignals()
  const sentAt = performance.now()
  const value = `${hostname()}:${process.pid} ${options.command.join(' ')}`.slice(0, 1000)
  const { data: place } = await client.call<Standing>('delos.lock.acquire', {
    name: options.name,
    ttlMs: options.ttlMs,
    value,
    isShared: options.isShared,
    isDelayed: options.lockDelayMs > 0,
  })
  const lease = keepLease(client, { id: place.lease, ttlMs: options.ttlMs, graceMs: options.graceMs, sentAt })
  let delay: { id: string; stop: () => void } | null = null
  try {
    const held = await waitForLock(client, options, place, lease, interrupt)
    if (held !== null && options.lockDelayMs > 0) delay = await leaveDelay(client, options, held)
    return held === null ? interrupt.exitCode() : await runCommand(options, held, lease, interrupt)
  } finally {
    lease.stop()
    interrupt.stop()
    // The command is over, so nothing is left to wait for. First the delay: who is woken by the end of the place must not find it.
    delay?.stop()
    if (delay !== null) await client.call('delos.lease.revoke', { id: delay.id }).catch(() => undefined)
    // Without a server the lease ends by itself.
    await client.call('delos.lease.revoke', { id: place.lease }).catch(() => undefined)
  }
}

/** Before the command begins: from here on the lock stays taken for the delay if we are gone. */
async function leaveDelay(client: Client, options: LockedRun, held: Standing): Promise<{ id: string; stop: () => void }> {
  const sentAt = performance.now()
  const ttlMs = delayTtlMs(options.ttlMs, options.lockDelayMs)
  const { id } = (await client.call<{ id: string }>('delos.lease.grant', { ttlMs })).data
  const { lease, token } = held
  await client.call('delos.lock.delay', { name: options.name, lease, isShared: options.isShared, token, delayLease: id })
  // As often as the lease of the place.
  return { id, stop: keepLease(client, { id, ttlMs: options.ttlMs, graceMs: 0, sentAt }).stop }
}

/** The place once it holds the lock; null when we were interrupted while waiting. */
async function waitForLock(
  client: Client,
  options: LockedRun,
  place: Standing,
  lease: KeptLease,
  interrupt: Interrupt,
): Promise<Standing | null> {
  const deadline = performance.now() + options.waitMs
  let standing = place
  for (let isSaid = false; !standing.isHeld;) {
    if (interrupt.signal.aborted) return null
    if (lease.signal.aborted) throw lost(options.name, 'while waiting for it')
    if (performance.now() >= deadline) {
      throw new MusterError('DELOS_LOCK_HELD', `the lock ${options.name} is held by ${standing.holder} (${standing.ahead} ahead of us)`, {
        details: standing,
      })
    }
    if (!isSaid) options.note(`waiting for ${options.name}, held by ${standing.holder} …`)
    isSaid = true
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    // Asks for key and lease anew each time: a place whose lease is gone holds nothing, whatever its order was.
    standing = await client
      .call<Standing>('delos.lock.standing', { name: options.name, lease: place.lease, isShared: options.isShared })
      .then(
        ({ data }) => data,
        (error: unknown) => {
          if (isRefusal(error) && error.code === 'SERVER_DOWN') return standing
          throw error
        },
      )
  }
  return interrupt.signal.aborted ? null : standing
}

async function runCommand(options: LockedRun, held: Standing, lease: KeptLease, interrupt: Interrupt): Promise<number> {
  const env = { ...process.env, MUSTER_LOCK_KEY: held.key, MUSTER_LOCK_TOKEN: String(held.token), MUSTER_LOCK_NAME: options.name }
  return runUnderLease({
    command: options.command,
    env,
    graceMs: options.graceMs,
    lease,
    interrupt,
    onLost: () => options.note(`▲ the lock ${options.name} cannot be kept: stopping the command`),
    lost: () => lost(options.name, 'while the command ran, so it was stopped'),
  })
}

function lost(name: string, when: string): MusterError {
  return new MusterError('DELOS_LOCK_LOST', `the lock ${name} was lost ${when}`)
}
