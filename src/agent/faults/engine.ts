import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultOrder } from '../../core/contracts/fault.ts'
import type { FaultReport, NodePing } from '../../core/contracts/node.ts'
import type { Logger } from '../../platform/logger.ts'
import type { ProcessId } from '../../platform/process.ts'
import type { ArmedFault, FaultDriver } from './driver.ts'
import { kill } from './kill.ts'
import { FaultLedger, type LedgerEntry } from './ledger.ts'
import { pause } from './pause.ts'

const DRIVERS: Record<string, FaultDriver> = { 'legion.kill': kill, 'legion.pause': pause }
const TICK_MS = 200
const REVERT_TRIES = 3
const REVERT_RETRY_MS = 1000

interface Fault {
  entry: LedgerEntry
  armed: ArmedFault | null
  /** performance.now() at which it ends whatever happens */
  untilAt: number
  /** performance.now() at which it ends unless its run's token is renewed */
  leaseEndsAt: number
  leaseMs: number
  isReverting: boolean
  /** resolves once arming has come to an end, well or not */
  arming: Promise<void> | null
}

/**
 * Carries out the faults of this node and takes every one of them back: when ordered, at its hard end, when its run's token
 * lapses (the server is gone), when `HALT` appears, when this agent starts again after its death. What is not taken back by
 * the third try is `leaked`.
 */
export class FaultEngine {
  readonly #ledger: FaultLedger
  readonly #haltFile: string
  readonly #target: (task: number, incarnation: number) => ProcessId | null
  readonly #log: Logger
  readonly #changed: () => void
  readonly #faults = new Map<string, Fault>()
  readonly #tokens = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: {
    root: string
    haltFile: string
    target: (task: number, incarnation: number) => ProcessId | null
    log: Logger
    changed: () => void
  }) {
    this.#ledger = new FaultLedger(options.root)
    this.#haltFile = options.haltFile
    this.#target = options.target
    this.#log = options.log
    this.#changed = options.changed
  }

  /** Undoes what an earlier agent left, by the ledger; then keeps watch. */
  async start(): Promise<void> {
    const { entries, torn } = this.#ledger.read()
    for (const name of torn) this.#log.error('torn fault ledger', { name })
    for (const entry of entries) {
      const fault: Fault = { entry, armed: null, untilAt: 0, leaseEndsAt: 0, leaseMs: 0, isReverting: false, arming: null }
      this.#faults.set(entry.id, fault)
      if (entry.state === 'armed' || entry.state === 'arming' || entry.state === 'leaked') await this.#revert(fault, 'ledger')
    }
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  get isHalted(): boolean {
    return existsSync(this.#haltFile)
  }

  /** Orders are whole: a fault they do not name is taken back and forgotten. */
  apply(orders: readonly FaultOrder[]): void {
    const named = new Set<string>()
    for (const order of orders) {
      named.add(order.id)
      const fault = this.#faults.get(order.id)
      if (fault === undefined) {
        if (order.want === 'armed') void this.#arm(order)
        else this.#faults.set(order.id, neverArmed(order, 'reverted', 'never armed'))
      } else if (order.want === 'reverted') {
        void this.#revert(fault, 'order')
      }
    }
    for (const [id, fault] of this.#faults) {
      if (named.has(id)) continue
      void this.#revert(fault, 'order gone').then((isDone) => {
        if (!isDone || this.#faults.get(id) !== fault) return
        this.#faults.delete(id)
        this.#ledger.remove(id)
      })
    }
  }

  /** Tokens of runs that may go on. */
  renew(ping: NodePing): void {
    const now = performance.now()
    for (const { run, validMs } of ping.go) this.#tokens.set(run, now + validMs)
  }

  reports(): FaultReport[] {
    return [...this.#faults.values()]
      .filter(({ entry }) => entry.state !== 'arming')
      .map(({ entry }) => ({ id: entry.id, state: entry.state as FaultReport['state'], effect: entry.effect, message: entry.message }))
  }

  /** Takes everything back; for a stop of the node. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([...this.#faults.values()].map((fault) => this.#revert(fault, 'agent stop')))
  }

  async #arm(order: FaultOrder): Promise<void> {
    const driver = DRIVERS[order.fault]
    const remainingMs = order.untilMs - Date.now()
    const target = this.#target(order.task, order.incarnation)
    const obstacle =
      driver === undefined
        ? `no driver for ${order.fault} on this node`
        : this.isHalted
          ? 'halted'
          : target === null
            ? 'the task has no process of that incarnation here'
            : remainingMs <= 0
              ? 'its end has passed'
              : null
    if (obstacle !== null || driver === undefined || target === null) {
      this.#faults.set(order.id, neverArmed(order, 'failed', obstacle ?? ''))
      return this.#changed()
    }
    const entry: LedgerEntry = { v: 1, id: order.id, run: order.run, fault: order.fault, target, state: 'arming', effect: 0, message: '' }
    const now = performance.now()
    const fault: Fault = {
      entry,
      armed: null,
      untilAt: now + remainingMs,
      leaseEndsAt: now + order.leaseMs,
      leaseMs: order.leaseMs,
      isReverting: false,
      arming: null,
    }
    this.#faults.set(order.id, fault)
    fault.arming = this.#inject(fault, driver, order, target, remainingMs)
    await fault.arming
    fault.arming = null
    this.#changed()
  }

  async #inject(fault: Fault, driver: FaultDriver, order: FaultOrder, target: ProcessId, remainingMs: number): Promise<void> {
    const { entry } = fault
    try {
      this.#ledger.put(entry)
      fault.armed = await driver.arm(order, target, remainingMs)
      entry.effect = fault.armed.effect
      entry.state = 'armed'
      this.#log.warn('fault armed', { id: order.id, fault: order.fault, pid: target.pid })
      this.#ledger.put(entry)
    } catch (error) {
      await fault.armed?.revert()
      entry.state = 'failed'
      entry.message = (error as Error).message
    }
  }

  #tick(): void {
    const now = performance.now()
    const isHalted = this.isHalted
    for (const fault of this.#faults.values()) {
      if (fault.entry.state !== 'armed' || fault.isReverting) continue
      if ((this.#tokens.get(fault.entry.run) ?? 0) > now) fault.leaseEndsAt = now + fault.leaseMs
      const cause = isHalted ? 'halt' : now >= fault.untilAt ? 'deadline' : now >= fault.leaseEndsAt ? 'lease' : null
      // A holder that ended by itself, or was killed: what it held must still be seen to go on.
      if (cause !== null) void this.#revert(fault, cause)
      else if (fault.entry.fault !== 'legion.kill' && fault.armed?.isOver === true) void this.#revert(fault, 'holder ended')
    }
  }

  /** @returns whether nothing of the fault is left */
  async #revert(fault: Fault, by: string): Promise<boolean> {
    const { entry } = fault
    await fault.arming
    if (fault.isReverting) return false
    if (entry.state === 'reverted' || entry.state === 'failed') return true
    fault.isReverting = true
    try {
      for (let tries = 1; ; tries += 1) {
        const isUndone = await (fault.armed?.revert() ?? DRIVERS[entry.fault]?.undo(entry.target) ?? Promise.resolve(false))
        if (isUndone) break
        if (tries === REVERT_TRIES) {
          this.#settle(entry, 'leaked', `not undone after ${tries} tries (${by})`)
          return false
        }
        await sleep(REVERT_RETRY_MS)
      }
      this.#settle(entry, 'reverted', `by ${by}`)
      return true
    } finally {
      fault.isReverting = false
    }
  }

  #settle(entry: LedgerEntry, state: FaultReport['state'], message: string): void {
    entry.state = state
    entry.message = message
    this.#log.warn(`fault ${state}`, { id: entry.id, message })
    try {
      this.#ledger.put(entry)
    } catch (error) {
      // On a full disk the file still says armed; the next start then undoes it once more, which harms nothing.
      this.#log.error('fault ledger not written', { id: entry.id, error: String(error) })
    }
    this.#changed()
  }
}

function neverArmed(order: FaultOrder, state: FaultReport['state'], message: string): Fault {
  const target = { pid: 0, startTime: 0, bootId: '' }
  const entry: LedgerEntry = { v: 1, id: order.id, run: order.run, fault: order.fault, target, state, effect: 0, message }
  return { entry, armed: null, untilAt: 0, leaseEndsAt: 0, leaseMs: 0, isReverting: false, arming: null }
}
