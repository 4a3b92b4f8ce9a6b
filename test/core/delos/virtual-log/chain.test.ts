import { expect, test } from 'vitest'
import { proposerOf, PROPOSER_DRAWN, serverOfProposer } from '../../../../src/core/delos/engines/proposer.ts'
import { isFit, skipsOf } from '../../../../src/core/delos/virtual-log/chain.ts'
import { VIRTUAL_LOG_RULES } from '../../../../src/core/delos/virtual-log/rules.ts'
import { SERVER_ID_MAX } from '../../../../src/core/delos/paxos/ballot.ts'

test('a state is fit when it passed over every skip that it covers', () => {
  const skips = skipsOf({ skips: [{ position: 5, reason: 'x' }] })
  expect(isFit(skips, { position: 4, skipped: [] })).toBe(true)
  expect(isFit(skips, { position: 5, skipped: [] })).toBe(false)
  expect(isFit(skips, { position: 9, skipped: [3] })).toBe(false)
  expect(isFit(skips, { position: 9, skipped: [3, 5] })).toBe(true)
})

test('without skips there is nothing to ask, and a broken rule sees none', () => {
  expect(skipsOf({ skips: [] })).toBeNull()
  expect(skipsOf({ skips: [{ position: 5, reason: 'x' }] }, { ...VIRTUAL_LOG_RULES, skips: false })).toBeNull()
  expect(isFit(null, { position: 9, skipped: [] })).toBe(true)
})

test('a proposer says which server it is, exactly, and one of an older program says nothing', () => {
  for (const server of [0, 1, SERVER_ID_MAX])
    for (const drawn of [0, PROPOSER_DRAWN - 1]) {
      expect(Number.isSafeInteger(proposerOf(server, drawn))).toBe(true)
      expect(serverOfProposer(proposerOf(server, drawn))).toBe(server)
    }
  expect(serverOfProposer(2 ** 47 - 1)).toBeNull()
})
