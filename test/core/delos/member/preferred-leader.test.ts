import { expect, test } from 'vitest'
import { handOverTo, type HandOverQuestion, type LeaderCandidate } from '../../../../src/core/delos/member/preferred-leader.ts'
import { leaderPrefer, leaderPreferenceShow } from '../../../../src/core/delos/operations.ts'
import { delosSystem } from '../../../../src/core/delos/system.ts'
import { newState } from '../../../support/state.ts'

const server = (name: string, region: string | null, but: Partial<LeaderCandidate> = {}): LeaderCandidate => {
  return { id: name, name, role: 'voter', leads: false, region, isReachable: true, lagBatches: 0, ...but }
}
const asked = (servers: LeaderCandidate[], but: Partial<HandOverQuestion> = {}): string | null =>
  handOverTo({ region: 'eu', servers, ledForMs: 3_600_000, triedAgoMs: Infinity, ...but })?.name ?? null
const leader = server('a', 'us', { leads: true })

test('a leader of another region hands over to the one of the region that is nearest to its end', () => {
  expect(asked([leader, server('b', 'eu', { lagBatches: 3 }), server('c', 'eu', { lagBatches: 1 }), server('d', 'us')])).toBe('c')
  expect(asked([server('a', null, { leads: true }), server('c', 'eu'), server('b', 'eu')])).toBe('b')
})

test('without a wish nobody does, nor one of the region itself, nor where none of the region is', () => {
  expect(asked([leader, server('b', 'eu')], { region: null })).toBeNull()
  expect(asked([server('a', 'eu', { leads: true }), server('b', 'eu')])).toBeNull()
  expect(asked([leader, server('b', 'us')])).toBeNull()
})

test.each<[string, Partial<LeaderCandidate>]>([
  ['is not reached', { isReachable: false }],
  ['is behind', { lagBatches: 11 }],
  ['has no vote', { role: 'learner' }],
  ['is not known to have caught up', { lagBatches: Infinity }],
])('never to one that %s', (_why, but) => {
  expect(asked([leader, server('b', 'eu', but)])).toBeNull()
})

test('at most once a minute, whoever led before, and whether it came about or not', () => {
  const servers = [leader, server('b', 'eu')]
  expect(asked(servers, { ledForMs: 59_999 })).toBeNull()
  expect(asked(servers, { triedAgoMs: 59_999 })).toBeNull()
  expect(asked(servers, { ledForMs: 60_000, triedAgoMs: 60_000 })).toBe('b')
})

test('the wish stays until it is taken back, and the same again is no entry', () => {
  const state = newState([delosSystem])
  expect(state.ask(leaderPreferenceShow, {})).toEqual({ region: null, author: null, at: null })
  state.run(leaderPrefer, { region: 'eu' })
  state.run(leaderPrefer, { region: 'eu' })
  expect(state.entries).toHaveLength(1)
  expect(state.replay().db.get('SELECT region FROM delos_preferred_leader')).toEqual({ region: 'eu' })
  expect(state.run(leaderPrefer, { region: null })).toMatchObject({ region: null, author: 'user:test' })
  expect(() => state.run(leaderPrefer, { region: 'no region' })).toThrow()
})
