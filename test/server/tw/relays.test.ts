import { expect, test } from 'vitest'
import { sealedPart } from '../../../src/core/contracts/beats.ts'
import type { NodeVia } from '../../../src/core/contracts/node.ts'
import type { ReadDb } from '../../../src/core/contracts/storage.ts'
import { shortMac } from '../../../src/platform/short-mac.ts'
import { Beat } from '../../../src/server/tw/beat.ts'
import { Relays, relaysFrom } from '../../../src/server/tw/relays.ts'

/** Agents of one rack, on a clock of the test's own; what each was told last. */
function fleetOf(count: number, from: number) {
  let now = 1000
  const clock = (): number => now
  const beats = new Map<string, Beat>()
  const told = new Map<string, NodeVia['relay']>()
  const seqs = new Map<string, number>()
  const db = { get: (_sql: string, node: string) => ({ node, region: 'r', zone: 'z', rack: 'k' }) } as unknown as ReadDb
  const relays = new Relays({ db, beats, from, clock, send: (node, message) => told.set(node, (message as NodeVia).relay) })
  const come = (node: string): void => {
    beats.set(node, new Beat(clock))
    relays.hear(node, `10.0.0.1:${node.slice(1)}`)
  }
  const names = Array.from({ length: count }, (_, i) => `n${i + 1}`)
  names.forEach(come)
  const nextSeq = (node: string): number => seqs.set(node, (seqs.get(node) ?? 0) + 1).get(node) as number
  const hear = (node: string, via: string | null, ageMs = 0): void => {
    beats.get(node)?.note(node, { bootId: 'b', instance: 1, seq: nextSeq(node) }, ageMs, via)
  }
  /** A second passes, in which all but the silent ones are heard as they were told. */
  const second = (silent: readonly string[] = [], ms = 1000): void => {
    now += ms
    for (const node of names) if (!silent.includes(node)) hear(node, told.get(node)?.node ?? null)
    relays.nextPing()
    relays.round()
  }
  const sealed = (node: string, ping: number, heldMs = 0, key = Buffer.from(told.get(node)?.key ?? '', 'base64')) => {
    const said = { seq: 1, hash: 5, ping }
    return { ...said, life: 0, heldMs, mac: shortMac(key, sealedPart(said)) }
  }
  return { relays, beats, told, names, second, come, sealed, over: (node: string) => told.get(node)?.node ?? null }
}

test('in a fleet that is not large nobody beats over another, and one at the edge does not change its mind', () => {
  const { relays, second, over, told, names, come } = fleetOf(4, 4)
  second()
  expect(told.size).toBe(0)
  come('n5')
  second()
  expect([...names, 'n5'].map(over)).toEqual([null, 'n1', 'n1', 'n1', 'n1'])
  relays.gone('n5')
  second()
  expect(over('n2')).toBe('n1')
  relays.gone('n4')
  second()
  expect(['n2', 'n3'].map(over)).toEqual([null, null])
})

test('a relay that is gone or silent is left for another at once, and takes nobody for a while', () => {
  const { relays, second, over, come } = fleetOf(4, 2)
  second()
  expect(over('n4')).toBe('n1')
  relays.gone('n1')
  second()
  expect(['n2', 'n3', 'n4'].map(over)).toEqual([null, 'n2', 'n2'])
  for (let i = 0; i < 4; i += 1) second(['n2', 'n3', 'n4'])
  expect(['n3', 'n4'].map(over)).toEqual([null, 'n3'])
  // It is heard again, and there is one more; but it is not tried at once.
  for (let i = 0; i < 10; i += 1) second()
  come('n1')
  second()
  expect(over('n2')).toBe(null)
  expect(over('n1')).toBe('n3')
  for (let i = 0; i < 60; i += 1) second()
  expect(over('n2')).toBe('n3')
})

test('who is not heard over a relay that serves others is told to beat for itself; when most are not, the relay is left', () => {
  const one = fleetOf(5, 2)
  one.second()
  one.second()
  for (let i = 0; i < 4; i += 1) one.second(['n5'])
  expect(['n3', 'n4', 'n5'].map(one.over)).toEqual(['n1', 'n1', null])
  // Also of a relay that never sent anything on: that it was told is enough.
  const most = fleetOf(5, 2)
  most.second()
  for (let i = 0; i < 4; i += 1) most.second(['n3', 'n4', 'n5'])
  expect(['n1', 'n2', 'n3', 'n4', 'n5'].map(most.over)).toEqual([null, null, 'n2', 'n2', 'n2'])
})

test('a server that stood still itself gives no relay up for it', () => {
  const { second, over, names } = fleetOf(3, 1)
  second()
  second(names, 5000)
  expect(over('n2')).toBe('n1')
})

test('a beat over a relay counts by the ping it names and by its seal: none is made up, and none is kept for later', () => {
  const { relays, second, sealed } = fleetOf(3, 1)
  for (let i = 0; i < 2; i += 1) second()
  expect(relays.ageOf('n2', sealed('n2', 2))).toBe(0)
  expect(relays.ageOf('n2', sealed('n2', 2, 700))).toBe(700)
  // Not with the key of another node, nor for a node that has none, nor for a ping that was not sent.
  expect(relays.ageOf('n2', sealed('n3', 2))).toBeNull()
  expect(relays.ageOf('n1', sealed('n2', 2))).toBeNull()
  expect(relays.ageOf('n2', sealed('n2', 3))).toBeNull()
  const { mac } = sealed('n2', 1)
  expect(relays.ageOf('n2', { ...sealed('n2', 2), mac })).toBeNull()
  const kept = sealed('n2', 2)
  for (let i = 0; i < 12; i += 1) second()
  expect(relays.ageOf('n2', kept)).toBe(10_000)
  for (let i = 0; i < 40; i += 1) second()
  expect(relays.ageOf('n2', kept)).toBeNull()
})

test('the key is that of one stream', () => {
  const { relays, second, sealed, come, over } = fleetOf(3, 1)
  second()
  const before = sealed('n2', 1)
  relays.gone('n2')
  expect(relays.ageOf('n2', before)).toBeNull()
  come('n2')
  second()
  expect(over('n2')).toBe('n1')
  expect(relays.ageOf('n2', before)).toBeNull()
})

test('the threshold is a whole number, or that of every fleet', () => {
  expect([relaysFrom({}), relaysFrom({ MUSTER_TW_RELAYS_FROM: '2' }), relaysFrom({ MUSTER_TW_RELAYS_FROM: 'x' })]).toEqual([2000, 2, 2000])
})
