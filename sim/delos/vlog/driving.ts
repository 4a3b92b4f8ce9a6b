import { createPrng } from '../../../src/core/kernel/prng.ts'
import { ballotAhead, isElected } from '../../../src/core/delos/virtual-log/elect-ahead.ts'
import type { Intent } from '../../../src/core/delos/virtual-log/plan.ts'
import { fileConfigSchema, quorumConfigSchema } from '../../../src/core/delos/virtual-log/quorum-config.ts'
import {
  createDriver,
  stepDriver,
  type Action,
  type Driver,
  type DriverInput,
  type NewLoglet,
} from '../../../src/core/delos/virtual-log/reconfigure.ts'
import type { RegisterReply } from '../../../src/core/delos/virtual-log/register-contract.ts'
import { decidingServers, lastSegment, type RegisterValue, type Segment } from '../../../src/core/delos/virtual-log/value.ts'
import type { DistributiveOmit } from '../server.ts'
import type { VlogServer } from './server.ts'

const STEP_TIMEOUT_MS = 300

/** Carries out the actions of one driver. It may die with its server at any step. */
export class Driving {
  readonly #server: VlogServer
  readonly #driver: Driver
  isOver = false

  constructor(server: VlogServer, intent: Intent, base: RegisterValue) {
    this.#server = server
    this.#driver = createDriver({
      intent,
      base,
      self: server.id,
      prng: createPrng(server.prng.below(2 ** 31)),
      now: server.localNow(),
      guard: (value) => server.world.guard(value, intent),
      rules: server.world.rules,
    })
  }

  start(): void {
    this.feed({ kind: 'tick' })
  }

  feed(input: DistributiveOmit<DriverInput, 'now'>): void {
    const server = this.#server
    if (this.isOver || !server.isUp) return
    server.crashIn -= 1
    const { actions, outcome, wakeAt } = stepDriver(this.#driver, { ...input, now: server.localNow() })
    if (server.world.isFaulty && server.prng.next() < server.world.driverDeath) return server.die()
    for (const action of actions) {
      this.#carryOut(action)
      if (!server.isUp) return
    }
    if (outcome !== null) {
      this.isOver = true
      server.world.noteOutcome(outcome.kind)
      if (server.driving === this) server.driving = null
      return
    }
    server.atLocal(wakeAt, () => this.feed({ kind: 'tick' }))
  }

  onReply(reply: RegisterReply): void {
    this.feed({ kind: 'proposed', reply })
  }

  #carryOut(action: Action): void {
    const server = this.#server
    switch (action.kind) {
      case 'preflight':
        return this.#preflight(action.segment, action.forVersion)
      case 'seal':
        return this.#within<{ round: number }>(
          action.segment,
          'seal',
          (done) => server.seal(action.segment, done),
          (result) => {
            this.feed({ kind: 'sealed', loglet: action.segment.loglet, round: result.round, leaseUntil: 0 })
          },
        )
      case 'tail':
        return this.#within<number>(
          action.segment,
          'tail',
          (done) => server.findTail(action.segment, done),
          (position) => {
            this.feed({ kind: 'tail', loglet: action.segment.loglet, position })
          },
        )
      case 'propose':
        server.requestId += 1
        return server.register?.propose(server.requestId, action.value)
      case 'open':
        return this.#within<true>(
          action.segment,
          'open',
          (done) => server.awaitOpen(action.segment, done),
          () => {
            this.feed({ kind: 'opened', loglet: action.segment.loglet })
          },
        )
      case 'abandon':
        return
    }
  }

  /** A step ends with a result, or fails when its time is over. */
  #within<T>(segment: Segment, step: string, run: (done: (result: T) => void) => void, then: (result: T) => void): void {
    let isOver = false
    const { loglet } = segment
    run((result) => {
      if (isOver) return
      isOver = true
      then(result)
    })
    this.#server.after(STEP_TIMEOUT_MS, () => {
      if (isOver) return
      isOver = true
      this.feed({ kind: 'failed', loglet, problem: `${step} took too long` })
    })
  }

  #preflight(segment: NewLoglet, forVersion: number): void {
    const server = this.#server
    const voters =
      segment.kind === 'quorum'
        ? quorumConfigSchema.parse(segment.config).voters
        : segment.kind === 'file'
          ? [fileConfigSchema.parse(segment.config).server]
          : []
    const learners = segment.kind === 'quorum' ? quorumConfigSchema.parse(segment.config).learners : []
    const decider = this.#driver.change?.decider
    const deciders = decider === undefined ? [] : decidingServers(decider)
    const wanted = [...new Set([...voters, ...learners, ...deciders])]
    const ready = new Set<number>()
    const promised = new Set<number>()
    server.register?.feed({ kind: 'reserve' })
    if (!server.isUp) return
    const ballot = ballotAhead(lastSegment(this.#driver.base), server.termSeen, server.id)
    let left = wanted.length
    const judge = (): void => {
      const votes = voters.filter((voter) => ready.has(voter)).length
      const isFine = (voters.length === 0 || votes > voters.length / 2) && deciders.every((each) => ready.has(each))
      server.elected = isElected(voters, promised) ? { loglet: segment.loglet, ballot } : null
      this.feed({ kind: 'preflighted', loglet: segment.loglet, problem: isFine ? null : `only ${[...ready].join(', ')} answered` })
    }
    if (left === 0) return judge()
    for (const to of wanted) {
      server.call<number>(
        to,
        'create',
        100,
        (peer, answer) => peer.createLoglet(segment, forVersion, ballot, answer),
        (promise) => {
          if (promise !== null) ready.add(to)
          if (promise === ballot) promised.add(to)
          left -= 1
          if (left === 0) judge()
        },
      )
    }
  }
}
