import { expect, test } from 'vitest'
import { refuse } from '../../../src/core/kernel/errors.ts'
import { scubaCompact, scubaSegmentList } from '../../../src/core/scuba/operations/segments.ts'
import { doEverywhere, type AllLeaves } from '../../../src/server/scuba/do-everywhere.ts'

/** Three leaves: this server's, one that answers, one that does not. */
const leaves = (answer: object): AllLeaves => ({
  client: { do: async () => answer as never },
  own: () => 'own',
  peers: {
    seen: () => [],
    start: () => undefined,
    stop: async () => undefined,
    doAll: async () => [
      { peer: { id: 'near', address: 'unix:/near', node: null, server: null }, answer: answer as Record<string, unknown> },
      { peer: { id: 'far', address: 'unix:/far', node: null, server: null }, answer: refuse('SCUBA_DOWN', 'does not answer') },
    ],
  },
})

test('of what leaves only show, each thing says whose it is and the answer says who gave none', async () => {
  const answer = await doEverywhere(leaves({ segments: [{ file: 'f' }] }), scubaSegmentList, {}, {}, { listed: 'segments' })
  expect(answer).toEqual({
    segments: [
      { file: 'f', leaf: 'own' },
      { file: 'f', leaf: 'near' },
    ],
    missing: ['leaf far: does not answer'],
  })
})

test('what changes something fails while one leaf cannot be told, and names it', async () => {
  await expect(doEverywhere(leaves({ rows: 1 }), scubaCompact, {}, {})).rejects.toMatchObject({
    code: 'SCUBA_DOWN',
    message: 'leaf far does not answer',
  })
})
