import { expect, test } from 'vitest'
import { CODE_MS, createSessions, SESSION_MS } from '../../../src/server/web/sessions.ts'

const anna = { actor: 'user:anna', role: 'viewer' } as const

test('a code lets one browser in, once, as who asked for it', () => {
  const sessions = createSessions(() => 0)
  const { code, expiresAt } = sessions.makeCode(anna)
  expect(expiresAt).toBe(CODE_MS)
  const id = sessions.redeem(code)
  expect(sessions.find(id ?? '')).toEqual(anna)
  expect(sessions.redeem(code)).toBeNull()
  expect([sessions.redeem('nonsense'), sessions.find('nonsense'), sessions.find(code)]).toEqual([null, null, null])
})

test('a code is good for a minute and a session for twelve hours, and then nobody is in', () => {
  let now = 0
  const sessions = createSessions(() => now)
  const [late, used] = [sessions.makeCode(anna).code, sessions.makeCode(anna).code]
  const id = sessions.redeem(used) ?? ''
  now = CODE_MS
  expect(sessions.redeem(late)).toBeNull()
  expect([sessions.find(id), sessions.isEmpty()]).toEqual([anna, false])
  now = SESSION_MS
  expect([sessions.find(id), sessions.isEmpty()]).toEqual([null, true])
})

test('codes that nobody uses do not pile up: the oldest go', () => {
  const sessions = createSessions(() => 0)
  const codes = Array.from({ length: 40 }, () => sessions.makeCode(anna).code)
  expect([sessions.redeem(codes[0] ?? ''), typeof sessions.redeem(codes[39] ?? '')]).toEqual([null, 'string'])
})
