import { describe, expect, it } from 'vitest'
import { haltClear, haltSet, runPlan, runStop } from '../../../src/core/chaos/operations.ts'
import { incidentDeclare } from '../../../src/core/sev/operations/incident.ts'
import { meshShow, ps } from '../../../src/core/tw/operations.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { experiment, newDriver, SLOW, type Driver } from './driver.ts'

const codeOf = (action: () => unknown): string => {
  try {
    action()
    return 'nothing was refused'
  } catch (error) {
    return error instanceof MusterError ? error.code : String(error)
  }
}

const declare = (driver: Driver) => driver.fleet.state.run(incidentDeclare, { title: 'real trouble', level: 1 })

const rulesOf = (driver: Driver) => driver.fleet.state.ask(meshShow, { service: 'web' }).faults

describe('a run', () => {
  it('whose hypothesis holds logs each intent before its fact, and ends as held', () => {
    const driver = newDriver()
    const run = driver.close(driver.start())
    expect(run).toMatchObject({ verdict: 'held', effect: 2, reason: '' })
    expect(driver.transcript()).toEqual([
      'ChaosRunProposed',
      'ChaosRunAdmitted',
      'ChaosRunStarted',
      'ArmFault',
      'ArmFault',
      'FaultArmed',
      'FaultArmed',
      'ChaosRunObserving',
      'RevertFault',
      'RevertFault',
      'FaultReverted',
      'FaultReverted',
      'ChaosRunVerifying',
      'ChaosRunClosed',
    ])
    expect(driver.fleet.state.replay().digest()).toBe(driver.fleet.state.digest())
  })

  it('stopped before it broke anything frees its targets for the next one', () => {
    const driver = newDriver()
    const id = driver.start()
    driver.fleet.state.run(runStop, { run: id, reason: 'enough' })
    expect(driver.close(driver.start()).verdict).toBe('held')
  })

  it('breaks exactly what its plan said', () => {
    const driver = newDriver()
    const planned = driver.fleet.state.ask(runPlan, { experiment: experiment() })
    const run = driver.close(driver.start())
    expect(run.faults.map(({ on }) => on)).toEqual(planned.plan.faults.map(({ task }) => task?.name))
  })

  it('that makes a check leave its bounds is broken off, undone and deviated', () => {
    const driver = newDriver()
    const id = driver.start(experiment({}, SLOW))
    driver.close(id, 4)
    expect(rulesOf(driver)).toHaveLength(1)
    driver.sample = () => ({ value: 0.2, requests: 500 })
    const at = driver.fleet.state.now()
    driver.close(id, 2)
    expect(rulesOf(driver)).toEqual([])
    driver.sample = () => ({ value: 0, requests: 500 })
    const run = driver.close(id)
    expect(run).toMatchObject({ verdict: 'deviated', cause: 'breach' })
    expect(driver.transcript()).toContain('ChaosGuardBreached')
    expect(run.faults[0]?.endedAtMs).toBeLessThanOrEqual(at + 1000)
  })

  it('without data is broken off within four seconds: no data is never a pass', () => {
    const driver = newDriver()
    const id = driver.start(experiment({ duration: '30s', observe_min: '30s' }))
    driver.close(id, 5)
    const at = driver.fleet.state.now()
    driver.sample = () => ({ value: null, requests: 0 })
    const run = driver.close(id)
    expect(run).toMatchObject({ cause: 'blind' })
    expect(run.faults.every(({ endedAtMs }) => (endedAtMs ?? Infinity) <= at + 4500)).toBe(true)
  })

  it('that is not steady before anything is broken breaks nothing', () => {
    const driver = newDriver()
    driver.sample = () => ({ value: 0.5, requests: 500 })
    expect(driver.close(driver.start())).toMatchObject({ verdict: 'not-run', faults: [] })
  })

  it('whose faults did nothing proves nothing', () => {
    const driver = newDriver()
    driver.effect = { requests: 99, users: 9 }
    expect(driver.close(driver.start(experiment({}, SLOW)))).toMatchObject({ verdict: 'inconclusive', effect: 99 })
    driver.effect = { requests: 100, users: 10 }
    expect(driver.close(driver.start(experiment({}, SLOW)))).toMatchObject({ verdict: 'held', effect: 100 })
  })

  it('one of whose faults cannot be armed undoes the others and is inconclusive', () => {
    const driver = newDriver()
    let asked = 0
    driver.arms = () => ((asked += 1) === 1 ? 'failed' : 'armed')
    const run = driver.close(driver.start())
    expect(run).toMatchObject({ verdict: 'inconclusive', cause: 'fault-failed' })
    expect(run.faults.map(({ state }) => state).sort()).toEqual(['failed', 'reverted'])
  })

  it('ends although a node never answers: its faults ended with their lease', () => {
    const driver = newDriver()
    const id = driver.start()
    driver.close(id, 3)
    driver.silent = new Set(driver.fleet.nodes.keys())
    expect(driver.close(id, 90).faults.every(({ state }) => state === 'reverted')).toBe(true)
  })

  it('renews the lease of a mesh rule only while it is measured; the rule ends by itself, and the run is no proof', () => {
    const driver = newDriver()
    driver.effect = { requests: 1000, users: 100 }
    const id = driver.start(experiment({ duration: '60s', observe_min: '60s' }, SLOW))
    driver.close(id, 12)
    const ends = rulesOf(driver)[0]?.untilMs ?? 0
    expect(ends).toBeGreaterThan(driver.fleet.state.now())
    expect(ends).toBeLessThanOrEqual(driver.fleet.state.now() + 4000)
    driver.isMeasuring = false
    driver.close(id, 12)
    expect(rulesOf(driver).every(({ untilMs }) => untilMs <= driver.fleet.state.now())).toBe(true)
    driver.isMeasuring = true
    expect(driver.close(id)).toMatchObject({ verdict: 'inconclusive', cause: 'blind' })
  })

  it('is broken off by halt, by a person and by a new SEV1, and says which', () => {
    for (const [cause, act] of [
      ['halted', (driver: Driver) => driver.fleet.state.run(haltSet, { reason: 'real trouble' })],
      ['stopped', (driver: Driver, id: string) => driver.fleet.state.run(runStop, { run: id, reason: 'enough' })],
      ['sev', (driver: Driver) => declare(driver)],
    ] as const) {
      const driver = newDriver()
      const id = driver.start()
      driver.close(id, 3)
      act(driver, id)
      expect(driver.close(id), cause).toMatchObject({ verdict: 'inconclusive', cause })
    }
  })

  it('that does not become well again in time is deviated', () => {
    const driver = newDriver()
    const id = driver.start(experiment({ recovery_within: '5s' }))
    for (let i = 0; i < 30 && driver.run(id).state !== 'observing'; i += 1) driver.close(id, 1)
    const tasks = driver.fleet.state.ask(ps, { job: 'web' }).tasks
    driver.fleet.behaviour = () => ({ startMs: 1_000_000, stopMs: 500 })
    expect(tasks).toHaveLength(8)
    expect(driver.close(id, 30)).toMatchObject({ verdict: 'deviated' })
  })
})

describe('what may start', () => {
  it('is refused over the cap on tasks, on more than half, and where a region would be left empty', () => {
    const { fleet } = newDriver()
    const plan = (muster: Record<string, unknown>, target: Record<string, unknown>) =>
      codeOf(() => fleet.state.ask(runPlan, { experiment: experiment(muster, { target }) }))
    expect(plan({ tasks: 1 }, { service: 'web', count: 2 })).toBe('CHAOS_RADIUS')
    expect(plan({ tasks: 8, leave_healthy: 0 }, { service: 'web', count: 5 })).toBe('CHAOS_RADIUS')
    expect(plan({ tasks: 4 }, { region: 'r1', all: true })).toBe('CHAOS_RADIUS')
    expect(plan({ tasks: 4 }, { service: 'web', count: 4 })).toBe('nothing was refused')
    expect(plan({}, { service: 'nobody' })).toBe('CHAOS_NO_TARGET')
    expect(plan({}, { service: 'web', count: 9 })).toBe('CHAOS_NO_TARGET')
  })

  it('is refused over the cap on users', () => {
    const { fleet } = newDriver()
    expect(codeOf(() => fleet.state.ask(runPlan, { experiment: experiment({ users: '5%' }, SLOW) }))).toBe('CHAOS_RADIUS')
    expect(codeOf(() => fleet.state.ask(runPlan, { experiment: experiment({ users: '10%' }, SLOW) }))).toBe('nothing was refused')
  })

  it('is refused while halted, elsewhere than meant, beside another run and during a SEV1; all shut gates are listed', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    expect(codeOf(() => driver.start(experiment({ environment: 'stage' })))).toBe('CHAOS_ENVIRONMENT')
    driver.start()
    expect(codeOf(() => driver.start())).toBe('CHAOS_LOCKED')
    state.run(haltSet, { reason: 'x' })
    const gates = state.ask(runPlan, { experiment: experiment({ environment: 'stage' }) }).gates.filter(({ isOpen }) => !isOpen)
    expect(gates.map(({ gate }) => gate)).toEqual(['halt', 'environment', 'lock'])
    expect(codeOf(() => driver.start())).toBe('CHAOS_GATE')
    const other = newDriver()
    other.fleet.state.run(haltSet, { reason: 'x' })
    expect(codeOf(() => other.start())).toBe('CHAOS_HALTED')
    other.fleet.state.run(haltClear, {})
    declare(other)
    expect(codeOf(() => other.start())).toBe('CHAOS_GATE')
  })
})
