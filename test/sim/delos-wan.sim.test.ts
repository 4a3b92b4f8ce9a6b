import { describe, expect, test } from 'vitest'
import { PLACES, bestAndWorst, datacenterOf, medianToMajorityMs, nearestMajorityMs, type Places } from '../../sim/delos/wan/places.ts'
import { syncQuantileMs } from '../../sim/delos/wan/sync-times.ts'
import { WanWorld, type WanOptions } from '../../sim/delos/wan/world.ts'

const [city, continent, eighty, world] = PLACES as readonly [Places, Places, Places, Places]
const open = (options: Partial<WanOptions>): WanWorld => new WanWorld({ seed: 1, places: eighty, leader: 1, disk: 'quiet', ...options })
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number

test('a leader is as far from its majority as from the nearest datacenter with enough voters', () => {
  expect([1, 3, 5].map((leader) => nearestMajorityMs(world, leader))).toEqual([80, 80, 140])
  expect(bestAndWorst(world)).toEqual({ best: 1, worst: 5 })
})

test('a commit takes a round trip to the nearest majority and one fdatasync', () => {
  for (const leader of [1, 5]) {
    const p50 = median(open({ places: continent, leader }).commits(200, 256))
    expect(p50).toBeGreaterThan(nearestMajorityMs(continent, leader))
    expect(p50).toBeLessThanOrEqual(medianToMajorityMs(continent, leader) + 1.5 * syncQuantileMs('quiet', 0.5))
  }
})

test('far servers are kept busy: the window is always full', () => {
  const perSecond = open({}).throughput(4000, 16_384, 64)
  expect(perSecond).toBeGreaterThan(0.8 * 100)
  expect(perSecond).toBeLessThanOrEqual(104)
})

describe('failover', () => {
  // Seeds in which several asked for the lead at once, or in which the way to a majority was as long as a probe once waited.
  test.each([
    ['one city', city, 36],
    ['one continent', continent, 27],
    ['one continent', continent, 37],
    ['80 ms', eighty, 30],
  ])('of a killed leader takes at most 1.2 s: %s', (_name, places, seed) => {
    const one = open({ places, seed, disk: 'busy' })
    one.commits(20, 256)
    expect(one.killLeader()).toBeLessThanOrEqual(1200)
    expect(one.lost()).toBe(0)
  })

  test('is one round of votes also where the last datacenters are 200 ms from each other', () => {
    for (const seed of [1, 2, 5, 8]) {
      const one = open({ places: world, seed, disk: 'busy' })
      one.commits(20, 256)
      expect(one.loseDatacenter(0)).toBeLessThanOrEqual(1600)
    }
  })
})

test('the loss of any one datacenter loses nothing that was acknowledged', () => {
  for (const datacenter of [0, 1, 2]) {
    const one = open({ places: continent, leader: 3, seed: 7 + datacenter })
    one.commits(50, 256)
    one.loseDatacenter(datacenter)
    expect(one.servers.filter(({ isUp }) => isUp).every(({ id }) => datacenterOf(id) !== datacenter)).toBe(true)
    expect(one.acknowledged).toBeGreaterThan(50)
    expect(one.lost()).toBe(0)
  }
})

test('a write that a server which is left never heard of counts as lost', () => {
  const one = open({})
  one.commits(20, 256)
  one.checks.names.get(5)?.delete('1:7')
  expect(one.lost()).toBe(1)
})

test('the same seed gives the same run, another seed another', () => {
  const trace = (seed: number): string => {
    const one = open({ seed })
    one.commits(30, 256)
    one.killLeader()
    return one.traceHash
  }
  expect(trace(5)).toBe(trace(5))
  expect(trace(5)).not.toBe(trace(6))
})
