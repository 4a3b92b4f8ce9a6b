import { expect, test } from 'vitest'
import { followMembers } from '../../../../src/core/delos/virtual-log/follow-members.ts'
import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import type { RegisterValue, ServerRole } from '../../../../src/core/delos/virtual-log/value.ts'

const CLUSTER = '00000000000000aa'
const idOf = (name: string): string => name.charCodeAt(0).toString(16).padStart(16, '0')

function valueOf(servers: Record<string, ServerRole>): RegisterValue {
  const [first] = Object.keys(servers) as [string]
  const value = genesis(CLUSTER, [{ id: idOf(first), name: first, addresses: [] }])
  return {
    ...value,
    servers: Object.entries(servers).map(([name, role], i) => {
      return { server: i + 1, id: idOf(name), name, addresses: [`https://${name}:1`], role, incarnation: 1 }
    }),
  }
}

test('nothing is to be done where the members are the same', () => {
  expect(followMembers(valueOf({ a: 'voter', b: 'learner' }), valueOf({ a: 'voter', b: 'learner' }))).toEqual([])
})

test('who is new is let in first, and promoted by the change after that', () => {
  const leading = valueOf({ a: 'voter', b: 'voter', c: 'pending' })
  expect(followMembers(leading, valueOf({ a: 'voter' }))).toEqual([
    { kind: 'add', id: idOf('b'), name: 'b', addresses: ['https://b:1'], role: 'learner' },
    { kind: 'add', id: idOf('c'), name: 'c', addresses: ['https://c:1'], role: 'pending' },
  ])
  expect(followMembers(leading, valueOf({ a: 'voter', b: 'learner', c: 'pending' }))).toEqual([{ kind: 'promote', server: 2 }])
})

test('numbers of servers are each log’s own', () => {
  const log = valueOf({ b: 'learner', a: 'voter' })
  expect(followMembers(valueOf({ a: 'voter', b: 'voter' }), log)).toEqual([{ kind: 'promote', server: 1 }])
})

test('who was removed goes, and never comes back', () => {
  expect(followMembers(valueOf({ a: 'voter', b: 'removed' }), valueOf({ a: 'voter', b: 'voter' }))).toEqual([{ kind: 'remove', server: 2 }])
  expect(followMembers(valueOf({ a: 'voter', b: 'voter' }), valueOf({ a: 'voter', b: 'removed' }))).toEqual([])
})

test('nobody is demoted, and a new address is told', () => {
  expect(followMembers(valueOf({ a: 'voter', b: 'learner' }), valueOf({ a: 'voter', b: 'voter' }))).toEqual([])
  const moved = valueOf({ a: 'voter' })
  const [a] = moved.servers
  const leading = { ...moved, servers: [{ ...(a as NonNullable<typeof a>), addresses: ['https://elsewhere:2'] }] }
  expect(followMembers(leading, moved)).toEqual([{ kind: 'update', server: 1, name: 'a', addresses: ['https://elsewhere:2'] }])
})
