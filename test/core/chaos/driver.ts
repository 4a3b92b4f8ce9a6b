import { deepStrictEqual } from 'node:assert'
import { runsController } from '../../../src/core/chaos/controller.ts'
import { stepCheck, startCheck, type CheckState, type Sample } from '../../../src/core/chaos/guard/step.ts'
import { runGet, runStart } from '../../../src/core/chaos/operations.ts'
import { checksOf, experimentOf, faultOrders, liveRuns, planOf, reportedFaults, type RunView } from '../../../src/core/chaos/queries.ts'
import type { ChaosSoft, RunSoft } from '../../../src/core/chaos/soft.ts'
import { chaosSystem } from '../../../src/core/chaos/system.ts'
import type { Controller } from '../../../src/core/contracts/controller.ts'
import type { FaultReport } from '../../../src/core/contracts/node.ts'
import { delosSystem } from '../../../src/core/delos/system.ts'
import { deploySystem } from '../../../src/core/deploy/system.ts'
import { sevSystem } from '../../../src/core/sev/system.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { jobRun } from '../../../src/core/tw/operations.ts'
import { twSystem } from '../../../src/core/tw/system.ts'
import { newSimulatedFleet, WEB, type SimulatedFleet } from '../../support/tw-fleet.ts'

type Json = Record<string, unknown>

/** An experiment that is right; `muster` and `provider` replace parts of it. */
export function experiment(muster: Json = {}, provider: Json = {}, extra: Json = {}): Json {
  return {
    title: 'test',
    'steady-state-hypothesis': {
      title: 'users do not notice',
      probes: [
        {
          type: 'probe',
          name: 'error ratio',
          tolerance: [0, 0.01],
          provider: { type: 'muster', measure: 'error_ratio', service: 'web', window: '5s' },
        },
      ],
    },
    method: [
      {
        type: 'action',
        name: 'break',
        provider: { type: 'muster', fault: 'legion.kill', target: { service: 'web', count: 2 }, ...provider },
      },
    ],
    muster: {
      environment: 'dev',
      tasks: 2,
      duration: '5s',
      baseline: '2s',
      observe_min: '5s',
      recovery_within: '20s',
      lease: '4s',
      ...muster,
    },
    ...extra,
  }
}

export const SLOW = { fault: 'legion.slow', target: { service: 'web' }, arguments: { delay: '100ms', share: '10%' } }

export interface Driver {
  fleet: SimulatedFleet
  /** what a look at any check gives now; null value: no data */
  sample: () => Omit<Sample, 'atMs'>
  effect: RunSoft['effect']
  /** false: the server that measures is gone */
  isMeasuring: boolean
  /** nodes whose agents do nothing and say nothing about faults */
  silent: Set<string>
  /** what an agent says when told to arm */
  arms: () => FaultReport['state']
  start: (document?: Json) => string
  run: (id: string) => RunView
  /** until the run is closed, at most so long; gives it */
  close: (id: string, seconds?: number) => RunView
  transcript: () => string[]
}

/** Real tw, delos, sev, deploy and chaos on a simulated fleet, with agents that carry faults out in memory. */
export function newDriver(): Driver {
  const soft = new Map<string, RunSoft>()
  // Every decision is made twice: it may depend on nothing but its arguments.
  const controller: Controller<ChaosSoft | undefined> = {
    ...runsController,
    decide: (db, now, given) => {
      const verdict = runsController.decide(db, now, given)
      deepStrictEqual(runsController.decide(db, now, given), verdict)
      return verdict
    },
  }
  const fleet = newSimulatedFleet({
    nodes: 4,
    regions: 2,
    systems: [delosSystem, twSystem, sevSystem, scubaSystem, deploySystem, { ...chaosSystem, controllers: [controller] }],
    softOf: (name) => (name === 'chaos.runs' ? { run: (id: string) => soft.get(id) } : undefined),
  })
  const { state } = fleet

  const measure = (): void => {
    for (const run of liveRuns(state.db)) {
      const checks = checksOf(experimentOf(run), planOf(run).services)
      const before = soft.get(run.id)
      const states = checks.map((check, i): CheckState =>
        stepCheck(check, before?.checks[i] ?? startCheck(state.now()), { atMs: state.now(), ...driver.sample() }, run.state === 'baseline'),
      )
      soft.set(run.id, { atMs: state.now(), checks: states, effect: driver.effect, users: 1000 })
    }
  }

  const agents = (): void => {
    for (const [name, node] of fleet.nodes) {
      if (driver.silent.has(name)) continue
      const reports = faultOrders(state.db, name).map((order): FaultReport => {
        const said = order.want === 'reverted' ? 'reverted' : driver.arms()
        const process = node.processes.get(order.task)
        if (said === 'armed' && order.fault === 'legion.kill' && process && process.report.restarts === 0) {
          Object.assign(process.report, { restarts: 1, startedAt: state.now(), health: 'starting' })
          process.startedAt = state.now()
        }
        return { id: order.id, state: said, effect: said === 'armed' ? 1 : 0, message: said === 'failed' ? 'no driver' : '' }
      })
      state.append(reportedFaults(state.db, name, reports), `agent:${name}`)
    }
  }

  const driver: Driver = {
    fleet,
    sample: () => ({ value: 0, requests: 500 }),
    effect: { requests: 0, users: 0 },
    isMeasuring: true,
    silent: new Set(),
    arms: () => 'armed',
    start: (document = experiment()) => state.run(runStart, { experiment: document }).run,
    run: (id) => state.ask(runGet, { run: id }),
    close: (id, seconds = 60) => {
      for (let i = 0; i < seconds * 4 && driver.run(id).state !== 'closed'; i += 1) {
        if (driver.isMeasuring) measure()
        agents()
        fleet.pass(250)
      }
      return driver.run(id)
    },
    transcript: () => state.entries.filter(({ type }) => type.startsWith('chaos.')).map(({ type }) => type.slice('chaos.'.length)),
  }
  state.run(jobRun, { spec: WEB })
  fleet.pass(3000)
  return driver
}
