import { expect, test } from 'vitest'
import type { FromServer, NodeReport } from '../../../src/core/contracts/node.ts'
import type { ReadDb } from '../../../src/core/contracts/storage.ts'
import type { NodeBeat } from '../../../src/core/tw/queries.ts'
import { createPeerLooks } from '../../../src/server/tw/peer-looks.ts'

const NODES = ['a', 'b', 'c', 'd']

test('what peers found holds until those asked again have answered, so a dead node is not in doubt at each round', () => {
  let clock = 0
  let draws = 0
  const sent: { to: string; message: FromServer }[] = []
  const beat = (ageMs: number): NodeBeat => ({ ageMs, bootId: '', meshPosition: 0, connected: true })
  const peers = createPeerLooks({
    db: { get: () => undefined } as unknown as ReadDb,
    beats: new Map(NODES.map((node) => [node, beat(node === 'a' ? 7000 : 0)])),
    connected: () => NODES,
    send: (to, message) => sent.push({ to, message }),
    changed: () => {},
    clock: () => clock,
    random: () => ((draws += 1) * 0.26) % 1,
  })
  const says = (node: string, isReached: boolean): void =>
    peers.hear({ identity: { node }, looks: [{ node: 'a', isReached }] } as unknown as NodeReport)
  peers.hear({ identity: { node: 'a' }, reach: '10.0.0.1:1' } as unknown as NodeReport)
  peers.round()
  expect(sent.map(({ to }) => to).sort()).toEqual(['b', 'c', 'd'])
  for (const node of ['b', 'c', 'd']) says(node, false)
  expect(peers.looks.get('a')).toEqual({ asked: 3, reached: 0, failed: 3 })
  clock = 6000
  peers.round()
  expect(sent).toHaveLength(6)
  says('b', true)
  expect(peers.looks.get('a')).toEqual({ asked: 3, reached: 0, failed: 3 })
  says('c', true)
  expect(peers.looks.get('a')).toEqual({ asked: 3, reached: 2, failed: 0 })
  says('d', true)
  expect(peers.looks.get('a')?.reached).toBe(3)
})
