import { SloMoved } from '../../../src/core/scuba/entries/slo.ts'
import { describe, expect, test } from 'vitest'
import {
  deployAbort,
  deployHalt,
  deployHistory,
  deployPause,
  deployPromote,
  deployResume,
  deployRetry,
  deployRollback,
  deployStart,
  deployStatus,
  deployUnhalt,
} from '../../../src/core/deploy/operations.ts'
import { releaseRow, watchView, whyView, type RolloutRow } from '../../../src/core/deploy/queries.ts'
import { isRefusal } from '../../../src/core/kernel/errors.ts'
import { incidentDeclare, incidentResolve } from '../../../src/core/sev/operations.ts'
import { jobStatus } from '../../../src/core/tw/queries.ts'
import { WEB } from '../../support/tw-fleet.ts'
import { newDriver, ship, type Driver } from './driver.ts'

const HAS_ENDED = (row: RolloutRow): boolean => row.ended_at !== null
const IN_STEP =
  (step: number) =>
  (row: RolloutRow): boolean =>
    row.step === step && row.state !== 'preparing'

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (isRefusal(error)) return error.code
    throw error
  }
  return 'done'
}

/** Shares as they were set, in order. */
function shares(driver: Driver): string[] {
  return driver.transcript().filter((line) => line.startsWith('split '))
}

describe('a rollout', () => {
  test('of a good release reaches 100 % by passed verdicts alone, then the new version is the job’s own', () => {
    const driver = newDriver()
    ship(driver)
    driver.seconds(60, HAS_ENDED)
    driver.seconds(40)
    expect(driver.transcript()).toEqual([
      'ReleaseCreated',
      'ReleaseCreated',
      'RolloutRequested',
      'split v1=100% v2=0%',
      'StartCanary',
      'CanaryStarted',
      'RolloutStepEntered 1',
      'split v1=95% v2=5%',
      'StepVerdict 1 pass',
      'RolloutStepEntered 2',
      'split v1=75% v2=25%',
      'StepVerdict 2 pass',
      'RolloutStepEntered 3',
      'split v1=0% v2=100%',
      'RolloutSucceeded',
      'split none',
    ])
    expect(jobStatus(driver.fleet.state.db, 'web')).toMatchObject({
      currentVersion: 2,
      owner: null,
      groups: [{ count: 8, arms: [{ arm: 'primary', version: 2, wanted: 8, healthy: 8 }], leftover: 0 }],
    })
    expect(releaseRow(driver.fleet.state.db, 'web-r2')?.state).toBe('good')
  })

  test('keeps every old task until the bake is over', () => {
    const driver = newDriver()
    ship(driver)
    driver.seconds(60, (row) => row.state === 'baking')
    driver.seconds(1)
    const arms = jobStatus(driver.fleet.state.db, 'web')?.groups[0]?.arms
    expect(arms).toMatchObject([
      { version: 1, wanted: 8, healthy: 8 },
      { version: 2, wanted: 8 },
    ])
  })

  test('of a release that fails 5 % of its requests goes home within 15 s of its first share, nearly always from its first step', () => {
    let fromFirstStep = 0
    for (let seed = 1; seed <= 12; seed += 1) {
      const driver = newDriver({ seed })
      driver.conduct = (version) => (version === 1 ? {} : { fails: 0.05 })
      ship(driver)
      driver.seconds(60, IN_STEP(0))
      const firstShare = driver.fleet.state.now()
      driver.seconds(60, HAS_ENDED)
      const row = driver.rollout()
      expect(row.state).toBe('rolled-back')
      expect(['errors', 'breaker']).toContain(row.cause)
      expect(driver.fleet.state.now() - firstShare).toBeLessThanOrEqual(15_000)
      expect(releaseRow(driver.fleet.state.db, row.release)?.state).toBe('bad')
      if (row.step === 0) fromFirstStep += 1
    }
    // 120 requests of which none fails are shown to be below the floor: of 400 such releases one is that lucky.
    expect(fromFirstStep).toBeGreaterThanOrEqual(11)
  })

  test('8 good releases of a service that fails 1 % of its requests: none goes home for harm', () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const driver = newDriver({ seed: seed + 500 })
      driver.conduct = () => ({ fails: 0.01 })
      ship(driver)
      driver.seconds(180, HAS_ENDED)
      expect(driver.rollout().state).toBe('succeeded')
    }
  })

  test('of a release that is three times as slow goes home by latency', () => {
    const driver = newDriver()
    // The demo calls everything up to 50 ms equally good.
    driver.conduct = (version) => ({ slower: version === 1 ? 8 : 24 })
    ship(driver)
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'rolled-back', cause: 'latency' })
  })

  test('of a release that fails most requests is stopped by the breaker', () => {
    const driver = newDriver()
    driver.conduct = (version) => (version === 1 ? { fails: 0.02 } : { fails: 0.9 })
    ship(driver)
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout().state).toBe('rolled-back')
    expect(['breaker', 'errors']).toContain(driver.rollout().cause)
  })

  test('that turns bad in the bake, without a control, is stopped by the breaker at once and the old tasks serve', () => {
    const driver = newDriver()
    driver.conduct = (version) => (version === 2 && driver.rollout().state === 'baking' ? { fails: 0.5 } : {})
    ship(driver)
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'rolled-back', cause: 'breaker' })
    expect(jobStatus(driver.fleet.state.db, 'web')?.groups[0]?.arms).toMatchObject([{ version: 1, healthy: 8 }])
  })

  test('whose canary gets no requests goes home by its sample ratio', () => {
    const driver = newDriver()
    driver.conduct = (version) => (version === 1 ? {} : { serves: false })
    ship(driver)
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'rolled-back', cause: 'srm' })
  })

  test('whose canary never becomes healthy goes home at its deadline', () => {
    const driver = newDriver({ behaviour: (task) => ({ startMs: task.version === 1 ? 500 : 1e9, stopMs: 500 }) })
    ship(driver)
    driver.seconds(90, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'rolled-back', cause: 'preparing', step: -1 })
  })

  test('without data is held as blind, goes on when the data is back, and never passes meanwhile', () => {
    const driver = newDriver()
    ship(driver)
    driver.seconds(60, IN_STEP(0))
    driver.isSeeing = false
    driver.seconds(20)
    expect(driver.rollout()).toMatchObject({ state: 'held', held_cause: 'blind', step: 0 })
    driver.isSeeing = true
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout().state).toBe('succeeded')
    expect(driver.transcript()).toContain('StepVerdict 1 blind')
  })

  test('that stays blind goes home', () => {
    const driver = newDriver()
    ship(driver)
    driver.seconds(60, IN_STEP(0))
    driver.isSeeing = false
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'rolled-back', cause: 'blind' })
    expect(releaseRow(driver.fleet.state.db, 'web-r2')?.state).toBe('new')
  })

  test('without traffic is inconclusive, never passed', () => {
    const driver = newDriver()
    driver.rate = 0
    ship(driver)
    driver.seconds(70)
    expect(driver.rollout()).toMatchObject({ state: 'held', held_cause: 'inconclusive', step: 0 })
    driver.seconds(150, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'rolled-back', cause: 'inconclusive' })
  })
})

describe('a person', () => {
  test('pauses a rollout and resumes it; the share stays meanwhile', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    ship(driver)
    driver.seconds(60, IN_STEP(0))
    state.run(deployPause, { rollout: 'web', reason: 'lunch' })
    driver.seconds(30)
    expect(driver.rollout()).toMatchObject({ state: 'held', held_cause: 'paused', step: 0 })
    expect(driver.share()).toBe(50_000)
    state.run(deployResume, { rollout: `r${driver.rollout().id}` })
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout().state).toBe('succeeded')
  })

  test('promotes a step before its time, but not one that fails', () => {
    const good = newDriver()
    ship(good, { profile: 'standard' })
    good.seconds(120, IN_STEP(0))
    good.seconds(70)
    good.fleet.state.run(deployPromote, { rollout: 'web' })
    good.seconds(30, IN_STEP(1))
    expect(good.rollout()).toMatchObject({ step: 1, state: 'stepping' })
    good.seconds(70)
    expect(good.rollout().step).toBe(1)

    const bad = newDriver()
    bad.conduct = (version) => (version === 1 ? {} : { fails: 0.5 })
    ship(bad)
    bad.seconds(60, (row) => row.state === 'rolling-back' || row.ended_at !== null)
    expect(codeOf(() => bad.fleet.state.run(deployPromote, { rollout: 'web' }))).toBe('DEPLOY_STATE')
  })

  test('aborts a rollout: 0 % at once, and the release may be tried again', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    ship(driver)
    driver.seconds(60, IN_STEP(1))
    state.run(deployAbort, { rollout: 'web', reason: 'not today' })
    expect(driver.share()).toBe(0)
    driver.seconds(5)
    expect(driver.rollout()).toMatchObject({ state: 'rolled-back', cause: 'aborted' })
    state.run(deployRetry, { rollout: 'web' })
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'succeeded', release: 'web-r2' })
  })

  test('is refused a second rollout of a service, and a release that is known to be bad', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    driver.conduct = (version) => (version === 1 ? {} : { fails: 0.3 })
    ship(driver)
    expect(codeOf(() => ship(driver))).toBe('DEPLOY_BUSY')
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout().state).toBe('rolled-back')
    driver.seconds(5)
    expect(codeOf(() => state.run(deployRetry, { rollout: 'web' }))).toBe('DEPLOY_KNOWN_BAD')
    expect(codeOf(() => state.run(deployStart, { service: 'web', source: { release: 'web-r2' }, profile: 'demo' }))).toBe(
      'DEPLOY_KNOWN_BAD',
    )
    expect(codeOf(() => state.run(deployStart, { service: 'nope', source: { release: 'x' } }))).toBe('DEPLOY_SERVICE_UNKNOWN')
    expect(codeOf(() => state.run(deployStart, { service: 'web', source: { release: 'web-r9' } }))).toBe('DEPLOY_RELEASE_UNKNOWN')
    expect(codeOf(() => state.run(deployStart, { service: 'web', source: { job: WEB }, profile: 'nope' }))).toBe('DEPLOY_PROFILE_INVALID')
  })

  test('supersedes a rollout in flight: it goes home first, then the newer one is compared with the last good release', () => {
    const driver = newDriver()
    ship(driver)
    driver.seconds(60, IN_STEP(1))
    const first = driver.rollout().id
    ship(driver, { onNew: 'supersede' })
    driver.seconds(60, HAS_ENDED)
    expect(driver.rollout()).toMatchObject({ state: 'succeeded', from_version: 1, version: 3 })
    expect(driver.fleet.state.ask(deployHistory, { service: 'web' }).rollouts.find((one) => one.id === first)?.state).toBe('superseded')
  })

  test('halts everything: nothing starts or grows, a rollback still runs', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    ship(driver)
    driver.seconds(60, IN_STEP(0))
    state.run(deployHalt, { reason: 'storm' })
    driver.seconds(20)
    expect(driver.rollout()).toMatchObject({ state: 'held', held_cause: 'halted', step: 0 })
    expect(driver.share()).toBe(50_000)
    state.run(deployAbort, { rollout: 'web' })
    driver.seconds(5)
    expect(driver.rollout().state).toBe('rolled-back')
    expect(codeOf(() => ship(driver))).toBe('DEPLOY_HALTED')
    state.run(deployUnhalt, { reason: 'calm' })
    expect(codeOf(() => ship(driver))).toBe('done')
  })

  test('is refused while the service has spent an error budget or burns it at a rate that pages, except for a hotfix', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    const moved = { service: 'web', objective: 'availability', tier: '1', sev: 2, burnLong: 20, burnShort: 20, bad: 9, total: 99 }
    const told = { ...moved, budgetLeft: 0.4, title: 'web availability', reason: 'burns' }
    state.append([SloMoved.of({ ...told, kind: 'burn_started' })])
    expect(codeOf(() => ship(driver))).toBe('DEPLOY_BUDGET_SPENT')
    state.append([SloMoved.of({ ...told, kind: 'burn_ended' }), SloMoved.of({ ...told, kind: 'budget_spent' })])
    expect(codeOf(() => ship(driver))).toBe('DEPLOY_BUDGET_SPENT')
    state.append([SloMoved.of({ ...told, kind: 'budget_restored' })])
    expect(codeOf(() => ship(driver))).toBe('done')
  })

  test('is refused while a SEV2 is open on the service, except for a hotfix', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    const { incident } = state.run(incidentDeclare, { title: 'checkout fails', service: 'web', level: 2 })
    expect(codeOf(() => ship(driver))).toBe('DEPLOY_SEV_OPEN')
    state.run(incidentResolve, { incident: incident.number, cause: 'a test' })
    expect(codeOf(() => ship(driver))).toBe('done')
  })

  test('goes back after success: the last good release takes all traffic without steps, the one before is marked bad', () => {
    const driver = newDriver()
    const { state } = driver.fleet
    ship(driver)
    driver.seconds(60, HAS_ENDED)
    driver.seconds(5)
    state.run(deployRollback, { service: 'web', reason: 'wrong colour' })
    driver.seconds(20, HAS_ENDED)
    driver.seconds(5)
    expect(driver.rollout()).toMatchObject({ kind: 'rollback', state: 'succeeded', release: 'web-r1' })
    expect(jobStatus(state.db, 'web')).toMatchObject({ currentVersion: 1, owner: null })
    expect(releaseRow(state.db, 'web-r2')).toMatchObject({ state: 'bad', why: 'wrong colour' })
    expect(codeOf(() => state.run(deployRollback, { service: 'web' }))).toBe('DEPLOY_NO_TARGET')
  })

  test('reads why: every verdict with its numbers, and the present ones', () => {
    const driver = newDriver()
    ship(driver)
    driver.seconds(60, IN_STEP(1))
    driver.seconds(3)
    const why = whyView(driver.fleet.state.db, driver.rollout(), driver.tracker.evidence(driver.rollout().id), driver.fleet.state.now())
    expect(why.verdicts).toMatchObject([
      { step: 0, verdict: 'pass', evidence: { sharePpm: 50_000, failingCanary: 0, harm: { line: 6908 } } },
    ])
    expect(why.verdicts[0]?.evidence?.unitsCanary).toBeGreaterThan(50)
    expect(why.now?.evidence?.sharePpm).toBe(250_000)
    const watch = watchView(driver.fleet.state.db, driver.rollout(), driver.tracker.evidence(driver.rollout().id), driver.fleet.state.now())
    expect(watch).toMatchObject({
      isLive: true,
      breaker: { state: 'closed' },
      rollout: { sharePpm: 250_000, legal: ['pause', 'promote', 'abort', 'rollback'] },
    })
    expect(driver.fleet.state.ask(deployStatus, {}).rollouts).toHaveLength(1)
  })
})

describe('after a kill of the server', () => {
  test('at any second of a rollout, evidence is read again and the outcome is the same', () => {
    for (let killAt = 1; killAt <= 21; killAt += 4) {
      const driver = newDriver({ seed: killAt })
      ship(driver)
      driver.seconds(killAt)
      driver.restart()
      driver.seconds(90, HAS_ENDED)
      expect(driver.rollout().state).toBe('succeeded')
      expect(shares(driver).slice(0, 4)).toEqual([
        'split v1=100% v2=0%',
        'split v1=95% v2=5%',
        'split v1=75% v2=25%',
        'split v1=0% v2=100%',
      ])
    }
  })

  test('no share grows before the step is judged anew', () => {
    const driver = newDriver()
    ship(driver)
    driver.seconds(60, IN_STEP(0))
    driver.seconds(3)
    driver.restart()
    driver.isSeeing = false
    driver.seconds(6)
    expect(driver.share()).toBe(50_000)
    expect(driver.transcript()).not.toContain('StepVerdict 1 pass')
  })

  test('the state replayed from the log is the same', () => {
    const driver = newDriver()
    driver.conduct = (version) => (version === 1 ? {} : { fails: 0.05 })
    ship(driver)
    driver.seconds(60, HAS_ENDED)
    expect(driver.fleet.state.replay().digest()).toBe(driver.fleet.state.digest())
  })

  test('a decision that was lost before it was durable is made again from the state: nothing is left out or doubled', () => {
    const outcomes = [0, 2, 3].map((every) => {
      const driver = newDriver()
      let decisions = 0
      driver.loses = () => every > 0 && (decisions += 1) % every !== 0
      ship(driver)
      driver.seconds(120, HAS_ENDED)
      return driver.transcript().filter((line) => line !== 'split none')
    })
    expect(outcomes[1]).toEqual(outcomes[0])
    expect(outcomes[2]).toEqual(outcomes[0])
  })
})
