import { expect, test } from 'vitest'
import {
  configDiff,
  configGet,
  configHistory,
  configJudge,
  configList,
  configRollback,
  configSet,
} from '../../../../src/core/delos/operations.ts'
import { delosSystem } from '../../../../src/core/delos/system.ts'
import { MusterError } from '../../../../src/core/kernel/errors.ts'
import { newState, type TestState } from '../../../support/state.ts'

const READERS = Array.from({ length: 2000 }, (_, i) => `host-${i}`)

function refusal(act: () => unknown): MusterError {
  try {
    act()
  } catch (error) {
    if (error instanceof MusterError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const settle = (state: TestState): number | null => state.settle(delosSystem.controllers)

/** Readers that get this version now. */
const readersOf = (state: TestState, name: string, version: number): string[] =>
  READERS.filter((reader) => state.ask(configGet, { name, reader }).version === version)

test('versions count from 1 per name, and everybody has the last one set', () => {
  const state = newState([delosSystem])
  expect(state.run(configSet, { name: 'web', body: 'a' })).toMatchObject({ version: 1, previous: null, state: 'active', added: 1 })
  expect(state.run(configSet, { name: 'web', body: 'b' })).toMatchObject({ version: 2, previous: 1, added: 1, removed: 1 })
  expect(state.run(configSet, { name: 'api', body: 'x' })).toMatchObject({ version: 1 })
  expect(state.ask(configGet, { name: 'web' })).toMatchObject({ version: 2, body: 'b', canary: null })
  expect(state.ask(configGet, { name: 'web', version: 1 })).toMatchObject({ body: 'a', state: 'replaced' })
  expect(state.ask(configList, { prefix: 'w' }).configs.map(({ name, version }) => [name, version])).toEqual([['web', 2]])
  expect(state.ask(configList, {}).configs.map(({ name }) => name)).toEqual(['api', 'web'])
})

test('setting what is active already makes no version, so a lost answer can be asked for again', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a', service: 'web' })
  const entries = state.entries.length
  expect(state.run(configSet, { name: 'web', body: 'a' })).toMatchObject({ version: 1, isChanged: false })
  expect(state.entries).toHaveLength(entries)
})

test('--expect refuses what somebody else changed meanwhile, and names both versions', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a', expect: 0 })
  state.run(configSet, { name: 'web', body: 'b', expect: 1 })
  const stale = refusal(() => state.run(configSet, { name: 'web', body: 'c', expect: 1 }))
  expect(stale).toMatchObject({ code: 'DELOS_CONFLICT', exit: 5, details: { expected: 1, found: 2 } })
  expect(stale.message).toBe('web is at version 2, expected version 1.')
  expect(refusal(() => state.run(configSet, { name: 'web', body: 'c', expect: 0 })).exit).toBe(5)
  expect(refusal(() => state.run(configSet, { name: 'new', body: 'c', expect: 3 })).message).toContain('does not exist')
})

test('a body is at most 1 MiB of UTF-8, and names are plain', () => {
  const max = 1024 * 1024
  expect(configSet.input.safeParse({ name: 'web', body: 'x'.repeat(max) }).success).toBe(true)
  for (const body of ['x'.repeat(max + 1), 'é'.repeat(max / 2 + 1)])
    expect(configSet.input.safeParse({ name: 'web', body }).error?.issues.map(({ message }) => message)).toEqual([
      'a configuration is at most 1 MiB of UTF-8',
    ])
  expect(configSet.input.safeParse({ name: 'web/limits.v2', body: '' }).success).toBe(true)
  for (const name of ['', '/web', 'web/', 'a b', '../x', 'a//b'])
    expect(configSet.input.safeParse({ name, body: '' }).success, name).toBe(false)
})

test('a schema holds for later versions too, until it is taken away', () => {
  const state = newState([delosSystem])
  const schema = JSON.stringify({ type: 'object', properties: { retries: { type: 'integer', maximum: 5 } }, required: ['retries'] })
  state.run(configSet, { name: 'web', body: '{"retries":3}', schema })
  const misfit = refusal(() => state.run(configSet, { name: 'web', body: '{"retries":9}' }))
  expect(misfit).toMatchObject({ code: 'DELOS_CONFIG_INVALID', exit: 2, details: { issues: ['retries: must be at most 5, is 9'] } })
  expect(refusal(() => state.run(configSet, { name: 'web', body: 'retries: 3' })).message).toContain('must be JSON')
  expect(refusal(() => state.run(configSet, { name: 'web', body: '{}', schema: '{"requird":[]}' })).message).toContain('#/requird')
  state.run(configSet, { name: 'web', body: 'retries: 9', schema: null })
  expect(state.ask(configGet, { name: 'web' })).toMatchObject({ version: 2, schema: null })
})

test('a version on trial is served to its share of the readers, to the same ones for as long as it lasts', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a' })
  const set = state.run(configSet, { name: 'web', body: 'b', canaryPpm: 100_000, canaryForMs: 60_000 })
  expect(set).toMatchObject({ version: 2, state: 'proposed', canary: { sharePpm: 100_000, until: state.now() + 60_000 } })
  const first = readersOf(state, 'web', 2)
  // 2000 readers, 10 %: 200 expected, standard deviation 13.4; five of them.
  expect(Math.abs(first.length - 200)).toBeLessThan(67)
  state.advance(59_999)
  settle(state)
  expect(readersOf(state, 'web', 2)).toEqual(first)
  // Who does not say who they are is never in a trial.
  expect(state.ask(configGet, { name: 'web' })).toMatchObject({ version: 1, canary: { version: 2 } })
})

test('another version is tried on other readers', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a' })
  state.run(configSet, { name: 'web', body: 'b', canaryPpm: 100_000 })
  const first = readersOf(state, 'web', 2)
  state.run(configRollback, { name: 'web' })
  state.run(configSet, { name: 'web', body: 'c', canaryPpm: 100_000 })
  const second = readersOf(state, 'web', 3)
  expect(second.filter((reader) => first.includes(reader)).length).toBeLessThan(first.length / 2)
})

test('a trial that is judged good is active for all', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a' })
  state.run(configSet, { name: 'web', body: 'b', canaryPpm: 1 })
  const judged = { name: 'web', version: 2, verdict: 'pass' as const, reason: 'p99 as before' }
  expect(state.run(configJudge, judged)).toMatchObject({ active: 2 })
  expect(readersOf(state, 'web', 2)).toEqual(READERS)
  const entries = state.entries.length
  expect(state.run(configJudge, judged), 'asking again').toMatchObject({ active: 2 })
  expect(state.entries).toHaveLength(entries)
  expect(refusal(() => state.run(configJudge, { ...judged, verdict: 'fail' })).code).toBe('DELOS_CONFLICT')
})

test('a trial that is judged bad leaves everybody where they were', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a' })
  state.run(configSet, { name: 'web', body: 'b', canaryPpm: 500_000 })
  state.run(configJudge, { name: 'web', version: 2, verdict: 'fail', reason: 'errors' })
  expect(readersOf(state, 'web', 1)).toEqual(READERS)
  expect(state.ask(configHistory, { name: 'web' }).versions[0]).toMatchObject({
    version: 2,
    state: 'rolled-back',
    verdict: 'fail',
    reason: 'errors',
  })
  expect(state.run(configSet, { name: 'web', body: 'c' }), 'a number is never used twice').toMatchObject({ version: 3, previous: 1 })
})

test('no verdict in time is no pass: the trial is rolled back', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a' })
  state.run(configSet, { name: 'web', body: 'b', canaryPpm: 500_000, canaryForMs: 60_000 })
  expect(settle(state)).toBe(state.now() + 60_000)
  state.advance(60_000)
  expect(settle(state)).toBeNull()
  expect(readersOf(state, 'web', 1)).toEqual(READERS)
  expect(state.ask(configHistory, { name: 'web' }).versions[0]).toMatchObject({
    state: 'rolled-back',
    verdict: null,
    reason: 'no verdict in time',
  })
  expect(refusal(() => state.run(configJudge, { name: 'web', version: 2, verdict: 'pass' })).code).toBe('DELOS_CONFLICT')
})

test('while one version is on trial no other is set, and the first of a name is never on trial', () => {
  const state = newState([delosSystem])
  expect(refusal(() => state.run(configSet, { name: 'web', body: 'a', canaryPpm: 1000 })).code).toBe('USAGE')
  state.run(configSet, { name: 'web', body: 'a' })
  state.run(configSet, { name: 'web', body: 'b', canaryPpm: 1000 })
  expect(refusal(() => state.run(configSet, { name: 'web', body: 'c' }))).toMatchObject({ code: 'DELOS_CONFIG_CANARY', exit: 5 })
})

test('rollback goes back step by step, or to a version', () => {
  const state = newState([delosSystem])
  for (const body of ['a', 'b', 'c', 'd']) state.run(configSet, { name: 'web', body })
  expect(state.run(configRollback, { name: 'web' })).toMatchObject({ from: 4, to: 3, wasOnTrial: false })
  expect(state.run(configRollback, { name: 'web' })).toMatchObject({ from: 3, to: 2 })
  expect(state.run(configRollback, { name: 'web', to: 4 })).toMatchObject({ from: 2, to: 4 })
  expect(state.ask(configGet, { name: 'web' })).toMatchObject({ version: 4, body: 'd', state: 'active' })
  expect(refusal(() => state.run(configRollback, { name: 'web', to: 4 })).code).toBe('DELOS_CONFLICT')
  expect(refusal(() => state.run(configRollback, { name: 'web', to: 9 })).code).toBe('DELOS_CONFIG_UNKNOWN')
  state.run(configRollback, { name: 'web', to: 1 })
  expect(refusal(() => state.run(configRollback, { name: 'web' })).message).toContain('nothing to go back to')
})

test('exactly one version of a name is active, whatever was done', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a' })
  const steps = [
    () => state.run(configSet, { name: 'web', body: 'b' }),
    () => state.run(configRollback, { name: 'web' }),
    () => state.run(configSet, { name: 'web', body: 'c', canaryPpm: 1000 }),
    () => state.run(configJudge, { name: 'web', version: 3, verdict: 'pass' }),
    () => state.run(configRollback, { name: 'web', to: 2 }),
    () => state.run(configSet, { name: 'web', body: 'd', canaryPpm: 1000 }),
    () => state.run(configRollback, { name: 'web' }),
  ]
  for (const step of steps) {
    step()
    const { versions } = state.ask(configHistory, { name: 'web' })
    const active = versions.filter((version) => version.state === 'active').map(({ version }) => version)
    expect(active).toEqual([state.ask(configGet, { name: 'web' }).version])
  }
})

test('history keeps the last 100 versions and all of 90 days, and never forgets what is active', () => {
  const state = newState([delosSystem])
  const DAY = 86_400_000
  for (let i = 1; i <= 150; i += 1) state.run(configSet, { name: 'web', body: `old ${i}` })
  expect(state.ask(configHistory, { name: 'web', limit: 1000 }).versions, 'all of 90 days').toHaveLength(150)
  state.run(configRollback, { name: 'web', to: 2 })
  state.advance(90 * DAY + 1)
  state.run(configSet, { name: 'web', body: 'x', canaryPpm: 1000 })
  const kept = state.ask(configHistory, { name: 'web', limit: 1000 }).versions.map(({ version }) => version)
  expect(kept).toEqual([...Array.from({ length: 100 }, (_, i) => 151 - i), 2])
})

test('activations and rollbacks are found in incidents of their service; the rest is not noted twice', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web/limits', body: 'a', service: 'web' })
  state.run(configSet, { name: 'web/limits', body: 'b', canaryPpm: 100_000 })
  state.run(configJudge, { name: 'web/limits', version: 2, verdict: 'fail', reason: 'errors' })
  expect(state.entries.flatMap(({ notable }) => (notable ? [[notable.service, notable.kind, notable.text]] : []))).toEqual([
    ['web', 'config', 'configuration web/limits 1 active'],
    ['web', 'config-canary', 'configuration web/limits 2 on trial for 10 % of its readers, 5m at most'],
    ['web', 'config-rollback', 'configuration web/limits 2 rolled back to 1: errors'],
  ])
})

test('a diff shows what the version on trial would change, and what the active one changed', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: 'a\nb\n' })
  expect(state.ask(configDiff, { name: 'web' })).toMatchObject({ from: null, to: 1 })
  state.run(configSet, { name: 'web', body: 'a\nc\n' })
  expect(state.ask(configDiff, { name: 'web' })).toMatchObject({
    from: 1,
    to: 2,
    hunks: [
      {
        fromLine: 1,
        toLine: 1,
        lines: [
          { sign: ' ', text: 'a' },
          { sign: '-', text: 'b' },
          { sign: '+', text: 'c' },
        ],
      },
    ],
  })
  state.run(configSet, { name: 'web', body: 'x', canaryPpm: 1000 })
  expect(state.ask(configDiff, { name: 'web' })).toMatchObject({ from: 2, to: 3 })
  expect(state.ask(configDiff, { name: 'web', from: 1, to: 1 }).hunks).toEqual([])
})

test('the same log gives the same state, also with the schema, the trial and what was forgotten', () => {
  const state = newState([delosSystem])
  state.run(configSet, { name: 'web', body: '{}', schema: '{"type":"object"}' })
  state.run(configSet, { name: 'web', body: '{"a":1}', canaryPpm: 100_000 })
  state.advance(301_000)
  settle(state)
  expect(state.replay().digest()).toBe(state.digest())
})
