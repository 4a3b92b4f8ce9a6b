import { beforeEach, expect, test } from 'vitest'
import { nodeAdmit, nodeJoin, nodeTokenIssue } from '../../../../src/core/tw/operations.ts'
import { twSystem } from '../../../../src/core/tw/system.ts'
import { newState, type TestState } from '../../../support/state.ts'

const TOKEN = 'a'.repeat(64)
const KEY = 'b'.repeat(64)
const OTHER_KEY = 'c'.repeat(64)
let state: TestState

beforeEach(() => {
  state = newState([twSystem])
  state.run(nodeTokenIssue, { hash: TOKEN, ttlMs: 60_000 })
})

const admit = (given: Partial<{ node: string; key: string; token: string }> = {}): unknown =>
  state.run(nodeAdmit, { node: 'n9', key: KEY, token: TOKEN, ...given })
const code = (work: () => unknown): string => {
  try {
    work()
    return 'done'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('a token lets one agent in, who may ask again when the answer was lost, and nobody else', () => {
  expect(admit()).toEqual({ node: 'n9', isNew: true })
  expect(admit()).toEqual({ node: 'n9', isNew: false })
  expect(code(() => admit({ node: 'n10', key: OTHER_KEY }))).toBe('TW_TOKEN_USED')
  expect(state.entries.filter(({ type }) => type === 'tw.NodeAdmitted')).toHaveLength(1)
})

test('a token that never was, or whose time is over, is told apart from a used one', () => {
  expect(code(() => admit({ token: 'd'.repeat(64) }))).toBe('TW_TOKEN_UNKNOWN')
  state.advance(60_000)
  expect(code(() => admit())).toBe('TW_TOKEN_EXPIRED')
})

test('a name that another key speaks for, or an agent beside a server, is not given away', () => {
  state.run(nodeTokenIssue, { hash: 'e'.repeat(64), ttlMs: 60_000, uses: 9 })
  admit()
  expect(code(() => admit({ key: OTHER_KEY, token: 'e'.repeat(64) }))).toBe('TW_NODE_CLAIMED')
  const identity = { node: 'n1', bootId: 'b', pid: 1, region: 'r', zone: 'z', rack: 'k', address: '127.0.0.1', attributes: {} }
  state.run(nodeJoin, { identity: { ...identity, cpuMilli: 1000, memoryBytes: 1 } })
  expect(code(() => admit({ node: 'n1', token: 'e'.repeat(64) }))).toBe('TW_NODE_CLAIMED')
})

test('who may speak for a node comes out of the log again, and the secret is in none of it', () => {
  admit()
  expect(state.replay().digest()).toBe(state.digest())
})
