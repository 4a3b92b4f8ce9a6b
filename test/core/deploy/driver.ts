import { delosSystem } from '../../../src/core/delos/system.ts'
import { deploySystem } from '../../../src/core/deploy/system.ts'
import { rolloutController } from '../../../src/core/deploy/controller.ts'
import type { DeploySoft } from '../../../src/core/deploy/soft.ts'
import type { Controller } from '../../../src/core/contracts/controller.ts'
import { deepStrictEqual } from 'node:assert'
import { deployStart } from '../../../src/core/deploy/operations.ts'
import { lastRolloutOf, type RolloutRow } from '../../../src/core/deploy/queries.ts'
import { LiveAggregate, histBucket } from '../../../src/core/scuba/live/aggregate.ts'
import { jobRun } from '../../../src/core/tw/operations.ts'
import { splitOf } from '../../../src/core/tw/queries.ts'
import { sevSystem } from '../../../src/core/sev/system.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { twSystem } from '../../../src/core/tw/system.ts'
import { createEvidenceTracker, type EvidenceTracker } from '../../../src/server/deploy/evidence-tracker.ts'
import { newSimulatedFleet, WEB, type Behaviour, type SimulatedFleet } from '../../support/tw-fleet.ts'
import { variates } from '../kernel/stats/random.ts'
import type { DesiredTask } from '../../../src/core/contracts/node.ts'

/** How a version behaves under traffic. */
export interface Conduct {
  fails?: number
  slower?: number
  serves?: boolean
}

export interface Driver {
  fleet: SimulatedFleet
  /** requests a second of the service */
  rate: number
  /** by job version */
  conduct: (version: number, secondsIn: number) => Conduct
  /** scuba answers */
  isSeeing: boolean
  tracker: EvidenceTracker
  /** true: this decision is lost, as when the server is killed before it is durable */
  loses: () => boolean
  /** a server that was killed: its soft state is gone */
  restart: () => void
  seconds: (n: number, until?: (row: RolloutRow) => boolean) => void
  rollout: () => RolloutRow
  share: () => number
  /** entry types of deploy and of splits, shortened, since the driver began */
  transcript: () => string[]
}

/** Real tw, delos and deploy on a simulated fleet, with requests of a seeded generator counted by scuba's own aggregate. */
export function newDriver(options: { seed?: number; behaviour?: (task: DesiredTask) => Behaviour } = {}): Driver {
  const { poisson, normal } = variates(options.seed ?? 1)
  const aggregate = new LiveAggregate()
  let tracker = createEvidenceTracker()
  // Every decision is made twice: it may depend on nothing but its arguments.
  const controller: Controller<DeploySoft | undefined> = {
    ...rolloutController,
    decide: (db, now, soft) => {
      const verdict = rolloutController.decide(db, now, soft)
      deepStrictEqual(rolloutController.decide(db, now, soft), verdict)
      return verdict.entries.length > 0 && driver.loses() ? { entries: [], wakeAt: now + 1 } : verdict
    },
  }
  const fleet = newSimulatedFleet({
    nodes: 6,
    regions: 2,
    systems: [delosSystem, twSystem, sevSystem, scubaSystem, { ...deploySystem, controllers: [controller] }],
    softOf: (name) => (name === 'deploy.rollout' ? { evidence: (id: number) => tracker.evidence(id) } : undefined),
    ...(options.behaviour ? { behaviour: options.behaviour } : {}),
  })
  const { state } = fleet
  state.advance(1000 - (state.now() % 1000))
  let users = 0

  const serve = (arm: string, version: number, units: number, conduct: Conduct): void => {
    if (conduct.serves === false) return
    const at = state.now() - 500
    const second = Math.floor(at / 1000)
    for (let i = 0; i < units; i += 1)
      aggregate.addCounts('web', second, arm, `v${version}`, 1, 0, histBucket(8 * (conduct.slower ?? 1) * Math.exp(0.5 * normal())))
    const failing = Math.min(units, poisson(units * (conduct.fails ?? 0)))
    for (let i = 0; i < failing; i += 1) {
      users += 1
      aggregate.addFailure('web', arm, `u${users}`, at)
      aggregate.addCounts('web', second, arm, `v${version}`, 0, 1, 0)
    }
  }

  const driver: Driver = {
    fleet,
    rate: 500,
    conduct: () => ({}),
    isSeeing: true,
    loses: () => false,
    get tracker() {
      return tracker
    },
    restart: () => {
      tracker = createEvidenceTracker()
    },
    seconds: (n, until) => {
      for (let i = 0; i < n; i += 1) {
        const split = splitOf(state.db, 'web')
        const since = lastRolloutOf(state.db, 'web')?.at ?? state.now()
        fleet.pass(1000)
        const shares = split?.shares ?? { v1: 1_000_000 }
        for (const [subset, ppm] of Object.entries(shares)) {
          const version = Number(subset.slice(1))
          if (ppm > 0)
            serve(
              split?.arms[subset] ?? 'primary',
              version,
              poisson((driver.rate * ppm) / 1e6),
              driver.conduct(version, (state.now() - since) / 1000),
            )
        }
        for (const { rollout, service, fromMs } of tracker.questions(state.db, state.now())) {
          if (driver.isSeeing) tracker.absorb(state.db, rollout, aggregate.read(service, fromMs, null, state.now()), state.now())
          else tracker.failed(rollout)
        }
        const row = lastRolloutOf(state.db, 'web')
        if (row && until?.(row)) return
      }
    },
    rollout: () => {
      const row = lastRolloutOf(state.db, 'web')
      if (!row) throw new Error('no rollout yet')
      return row
    },
    share: () => splitOf(state.db, 'web')?.shares[`v${driver.rollout().version}`] ?? 0,
    transcript: () => state.entries.flatMap((entry) => line(entry.type, entry.body as Record<string, unknown>)),
  }
  state.run(jobRun, { spec: WEB })
  fleet.pass(3000)
  return driver
}

function line(type: string, body: Record<string, unknown>): string[] {
  if (type === 'tw.SplitSet') {
    const shares = body['shares'] as Record<string, number>
    return [
      `split ${
        Object.entries(shares)
          .map(([subset, ppm]) => `${subset}=${ppm / 10_000}%`)
          .join(' ') || 'none'
      }`,
    ]
  }
  if (!type.startsWith('deploy.')) return []
  const extra = ['step', 'verdict', 'cause', 'rule'].flatMap((key) =>
    body[key] === undefined ? [] : [String(key === 'step' ? Number(body[key]) + 1 : body[key])],
  )
  return [[type.slice('deploy.'.length), ...extra].join(' ')]
}

/** Starts a rollout of a version that differs by its environment. */
export function ship(driver: Driver, input: { profile?: string; onNew?: 'reject' | 'supersede' } = {}): RolloutRow {
  driver.fleet.state.run(deployStart, {
    service: 'web',
    source: {
      job: {
        ...WEB,
        groups: { api: { ...WEB.groups.api, main: { ...WEB.groups.api.main, env: { N: String(driver.fleet.state.entries.length) } } } },
      },
    },
    profile: input.profile ?? 'demo',
    ...(input.onNew ? { onNew: input.onNew } : {}),
  })
  return driver.rollout()
}
