import { expect, test } from 'vitest'
import { apiToken } from '../../../../src/core/delos/access/rows.ts'
import { tokenAdopt, tokenList, tokenNote, tokenRevoke } from '../../../../src/core/delos/operations.ts'
import { delosSystem } from '../../../../src/core/delos/system.ts'
import { newState } from '../../../support/state.ts'

const hash = (digit: string): string => digit.repeat(64)
const token = (digit: string, name: string, role: 'viewer' | 'operator' = 'viewer') => ({ hash: hash(digit), name, role })

test('a token under a name ends the one before, and another name is left alone', () => {
  const state = newState([delosSystem])
  state.run(tokenNote, token('a', 'ci'))
  state.run(tokenNote, token('b', 'dashboard'))
  expect(state.run(tokenNote, token('c', 'ci', 'operator'))).toEqual({ ended: ['aaaaaaaa'] })
  expect(state.ask(tokenList, {}).tokens.map(({ id, name, role }) => ({ id, name, role }))).toEqual([
    { id: 'cccccccc', name: 'ci', role: 'operator' },
    { id: 'bbbbbbbb', name: 'dashboard', role: 'viewer' },
  ])
  expect(apiToken(state.db, hash('a'))?.ended_at).not.toBeNull()
  expect(state.replay().digest()).toBe(state.digest())
})

test('a token is revoked by its name, by its id where two have one name, and once', () => {
  const state = newState([delosSystem])
  state.run(tokenAdopt, { tokens: [token('a', 'ci'), token('b', 'ci')] })
  expect(() => state.run(tokenRevoke, { token: 'ci' })).toThrow(/aaaaaaaa, bbbbbbbb/)
  expect(state.run(tokenRevoke, { token: 'aaaaaaaa' })).toMatchObject({ name: 'ci', id: 'aaaaaaaa' })
  expect(state.run(tokenRevoke, { token: 'ci' })).toMatchObject({ id: 'bbbbbbbb' })
  expect(() => state.run(tokenRevoke, { token: 'ci' })).toThrow(/no token ci/)
  expect(() => state.run(tokenRevoke, { token: 'b' })).toThrow(/no token b/)
})

test('a file of a server brings no token back that ended, and changes none that is known', () => {
  const state = newState([delosSystem])
  const old = token('a', 'ci')
  expect(state.run(tokenAdopt, { tokens: [old] })).toEqual({ taken: 1 })
  state.run(tokenRevoke, { token: 'ci' })
  expect(state.run(tokenAdopt, { tokens: [old, old, token('b', 'web')] })).toEqual({ taken: 1 })
  expect(state.run(tokenAdopt, { tokens: [token('b', 'web', 'operator')] })).toEqual({ taken: 0 })
  expect(state.ask(tokenList, {}).tokens).toMatchObject([{ name: 'web', role: 'viewer' }])
})
