import { randomInt } from 'node:crypto'
import {
  createDriver,
  stepDriver,
  type Action,
  type Driver,
  type DriverInput,
  type Outcome,
} from '../../../core/delos/virtual-log/reconfigure.ts'
import type { Intent } from '../../../core/delos/virtual-log/plan.ts'
import type { RegisterReply } from '../../../core/delos/virtual-log/register-contract.ts'
import type { RegisterValue, Segment } from '../../../core/delos/virtual-log/value.ts'
import { createPrng } from '../../../core/kernel/prng.ts'
import type { StretchEnd } from '../../../core/contracts/stretch.ts'

/** What a driver needs done, each step with a promise that rejects with what is in the way. */
export interface DriverHands {
  /** @returns what is in the way; null: nothing */
  preflight(action: Extract<Action, { kind: 'preflight' }>): Promise<string | null>
  seal(segment: Segment): Promise<StretchEnd>
  propose(value: RegisterValue): Promise<RegisterReply>
  /** Resolves once it takes appends. */
  open(segment: Segment): Promise<void>
  abandon(loglet: number): void
}

/** Asked at every try, on the version that would be changed: why it must not be, in words, or null. */
export type Guard = (base: RegisterValue) => string | null

export interface Drive {
  /** Resolves with what came of it; it never rejects. */
  outcome: Promise<Outcome>
  /** A newer version of the register was decided. */
  known(value: RegisterValue): void
  stop(): void
}

/** Node takes a longer time for none. */
const TIMER_MAX_MS = 2 ** 30

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Carries out one change of the chain: the machine of `reconfigure.ts`, with real steps. */
export function drive(intent: Intent, base: RegisterValue, self: number, hands: DriverHands, guard: Guard): Drive {
  const prng = createPrng(randomInt(1, 2 ** 31))
  const driver: Driver = createDriver({ intent, base, self, prng, now: performance.now(), guard })
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>()
  const inputs: DriverInput[] = []
  let isStepping = false
  let isOver = false
  let timer: NodeJS.Timeout | null = null
  let sealed: StretchEnd | null = null

  const feed = (input: DriverInput): void => {
    if (isOver) return
    inputs.push(input)
    if (isStepping) return
    isStepping = true
    for (let next = inputs.shift(); next !== undefined && !isOver; next = inputs.shift()) {
      const output = stepDriver(driver, next)
      for (const action of output.actions) carryOut(action)
      if (output.outcome !== null) {
        isOver = true
        resolve(output.outcome)
      }
      if (timer !== null) clearTimeout(timer)
      if (!isOver)
        timer = setTimeout(() => feed({ kind: 'tick', now: now() }), Math.min(TIMER_MAX_MS, Math.max(0, Math.ceil(output.wakeAt - now()))))
    }
    isStepping = false
  }

  const carryOut = (action: Action): void => {
    switch (action.kind) {
      case 'preflight': {
        const { loglet } = action.segment
        hands.preflight(action).then(
          (problem) => feed({ kind: 'preflighted', now: now(), loglet, problem }),
          (error: unknown) => feed({ kind: 'preflighted', now: now(), loglet, problem: textOf(error) }),
        )
        return
      }
      case 'seal': {
        const { loglet } = action.segment
        hands.seal(action.segment).then(
          (end) => {
            sealed = end
            // Whoever answered reads of it by itself has given that up when its end is found: see `Stretch.seal`.
            feed({ kind: 'sealed', now: now(), loglet, round: end.round, leaseUntil: 0 })
          },
          (error: unknown) => feed({ kind: 'failed', now: now(), loglet, problem: textOf(error) }),
        )
        return
      }
      case 'tail':
        feed({ kind: 'tail', now: now(), loglet: action.segment.loglet, position: (sealed as StretchEnd).position })
        return
      case 'propose':
        void hands.propose(action.value).then((reply) => feed({ kind: 'proposed', now: now(), reply }))
        return
      case 'open': {
        const { loglet } = action.segment
        hands.open(action.segment).then(
          () => feed({ kind: 'opened', now: now(), loglet }),
          (error: unknown) => feed({ kind: 'failed', now: now(), loglet, problem: textOf(error) }),
        )
        return
      }
      case 'abandon':
        hands.abandon(action.loglet)
    }
  }

  feed({ kind: 'tick', now: now() })
  return {
    outcome,
    known: (value) => feed({ kind: 'known', now: now(), value }),
    stop: () => {
      if (timer !== null) clearTimeout(timer)
      if (isOver) return
      isOver = true
      resolve({ kind: 'unfinished', phase: driver.phase, problem: 'the server is stopping' })
    },
  }
}

const now = (): number => performance.now()
