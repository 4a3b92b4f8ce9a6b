import { expect, test } from 'vitest'
import { LeafJoined, LeafLost } from '../../../src/core/scuba/entries/leaves.ts'
import { peersOf, registryOf } from '../../../src/core/scuba/registry-state.ts'
import { shardController } from '../../../src/core/scuba/shards/controller.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import type { Controller } from '../../../src/core/contracts/controller.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import type { ServerHost } from '../../../src/server/host.ts'
import type { OwnLeaf } from '../../../src/server/scuba/own-leaf.ts'
import { keepServerLeaves } from '../../../src/server/scuba/server-leaves.ts'
import { eventually } from '../../support/eventually.ts'
import { newState } from '../../support/state.ts'

const [A, B] = ['00000000000000aa', '00000000000000bb'] as const
const at = (leaf: string, port: number): OwnLeaf => ({ leaf, address: `https://10.0.0.1:${port}` })

/** The leader's part, on a state of its own. */
function leader(where: Record<string, OwnLeaf | null | Error>) {
  const state = newState([scubaSystem])
  const answering = new Set<string>()
  const asked: string[] = []
  let present = [A, B] as string[]
  const host = {
    ...{ db: state.db, log: createLogger(null), now: () => 0 },
    propose: async (_actor: string, decide: Parameters<ServerHost['propose']>[1]) => {
      const entries = decide(state.db, 0)
      if (entries instanceof Error) throw entries
      state.append(entries)
      return []
    },
  } as unknown as ServerHost
  const servers = {
    self: A,
    beside: () => ({ id: A, host: null }),
    present: () => present.map((id) => ({ id, name: id })),
    ask: async (id: string) => {
      asked.push(id)
      const found = where[id]
      if (found instanceof Error) throw found
      return found ?? null
    },
  }
  const kept = keepServerLeaves(host, servers, (leaf) => answering.has(leaf))
  return { state, asked, answering, kept, stay: (...ids: string[]) => (present = ids) }
}

test('the leaf of each server is known by what its server says, moves with it, and goes with it', { timeout: 30_000 }, async () => {
  const where: Record<string, OwnLeaf | null | Error> = { [A]: at('leaf-a', 1), [B]: new Error('does not answer') }
  const { state, asked, answering, kept, stay } = leader(where)
  state.append([LeafJoined.of({ leaf: 'leaf-a' }), LeafJoined.of({ leaf: 'leaf-n', node: 'n1', address: 'unix:/n1' })])
  kept.start()
  const addresses = (): string =>
    peersOf(state.db)
      .map(({ id, address, server }) => `${id} ${address} ${server}`)
      .join('\n')
  try {
    await eventually('its own', 5000, () => addresses() === `leaf-a https://10.0.0.1:1 ${A}\nleaf-n unix:/n1 null`)
    where[B] = at('leaf-b', 2)
    await eventually('the other one', 10_000, () => addresses().includes(`leaf-b https://10.0.0.1:2 ${B}`))
    answering.add('leaf-b')
    where[B] = at('leaf-b', 3)
    asked.length = 0
    await eventually('another look', 10_000, () => asked.includes(A))
    // One that answers is asked nothing.
    expect(asked).not.toContain(B)
    answering.delete('leaf-b')
    await eventually('where it went', 10_000, () => addresses().includes('https://10.0.0.1:3'))
    stay(A)
    await eventually('its end', 10_000, () => addresses() === `leaf-a https://10.0.0.1:1 ${A}\nleaf-n unix:/n1 null`)
  } finally {
    await kept.stop()
  }
})

test('the shard of a server is left out while its leaf is lost, and counts as new when it is back; that of a node is neither', () => {
  const state = newState([scubaSystem])
  state.append([
    LeafJoined.of({ leaf: 'leaf-b', server: B, address: 'https://10.0.0.1:2' }),
    LeafJoined.of({ leaf: 'leaf-n', node: 'n1', address: 'https://10.0.0.1:3' }),
  ])
  state.settle([shardController as Controller], () => ({ observed: null, leaf: null, silentSinceMs: null }))
  const shards = () => registryOf(state.db, 1).shards.map(({ id, isLost, sinceMs }) => ({ id, isLost, sinceMs }))
  const [b, n] = shards()
  expect([b, n]).toMatchObject([
    { id: 'leaf-b', isLost: false },
    { id: 'leaf-n', isLost: false },
  ])
  state.append([LeafLost.of({ leaf: 'leaf-b' }), LeafLost.of({ leaf: 'leaf-n' })])
  expect(shards()).toMatchObject([{ isLost: true }, n ?? {}])
  state.append([LeafJoined.of({ leaf: 'leaf-b' }), LeafJoined.of({ leaf: 'leaf-n' })])
  expect(shards()[1]).toEqual(n)
  expect(shards()[0]).toMatchObject({ isLost: false })
  expect(shards()[0]?.sinceMs).toBeGreaterThanOrEqual(b?.sinceMs ?? Infinity)
})
