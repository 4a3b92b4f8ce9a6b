import { expect, test } from 'vitest'
import { faultsOf, type LogReading } from '../../../src/core/delos/log/compare.ts'

const reading = (server: string, digests: string[], bad: LogReading['bad'] = null): LogReading => ({
  ...{ server, head: 1, tail: 31, bad },
  stretches: digests.map((sha256, i) => ({ from: 1 + i * 10, to: 10 + i * 10, sha256 })),
})
const faults = (...readings: LogReading[]): string[] => faultsOf(readings).map(({ server, from, kind }) => `${server} ${from} ${kind}`)

test('readings that are alike have no fault, also when one server keeps less', () => {
  expect(faults(reading('a', ['x', 'y', 'z']), reading('b', ['x', 'y', 'z']))).toEqual([])
  expect(faults(reading('a', ['x', 'y', 'z']), { ...reading('b', []), head: 31 })).toEqual([])
})

test('who has something else than most is named, with the stretch; two that differ are both named', () => {
  expect(faults(reading('a', ['x', 'y']), reading('b', ['x', 'q']), reading('c', ['x', 'y']))).toEqual(['b 11 differs'])
  expect(faults(reading('a', ['x']), reading('b', ['y']))).toEqual(['a 1 differs', 'b 1 differs'])
})

test('what a server cannot read is told with its position, before what comes later', () => {
  const rot = { position: 14, kind: 'rot', reason: 'damaged' } as const
  expect(faults(reading('a', ['x', 'y', 'z']), reading('b', ['x'], rot), reading('c', ['x', 'y', 'q']))).toEqual([
    'b 14 rot',
    'a 21 differs',
    'c 21 differs',
  ])
})
