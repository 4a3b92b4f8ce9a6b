import { createPrng, type Prng } from '../../../src/core/kernel/prng.ts'

/** Three datacenters with two, two and one voters, and how far they are from each other. */
export interface Places {
  name: string
  /** round trips between datacenters 0 and 1, 0 and 2, 1 and 2 */
  rttMs: readonly [number, number, number]
}

/** How far a single message's time is from half a round trip, at most. */
const JITTER = 0.01

/** A round trip within a datacenter. */
export const INSIDE_MS = 0.2

export const LAN_PLACES: Places = { name: 'one room', rttMs: [INSIDE_MS, INSIDE_MS, INSIDE_MS] }

export const PLACES: readonly Places[] = [
  { name: 'one city', rttMs: [1, 1.5, 2] },
  { name: 'one continent', rttMs: [10, 20, 30] },
  { name: 'all 80 ms apart', rttMs: [80, 80, 80] },
  { name: 'the world', rttMs: [80, 140, 200] },
]

/** The datacenter of each voter; voters are named from 1. */
export const DATACENTERS = [0, 0, 1, 1, 2] as const
const MAJORITY = 3

export const datacenterOf = (server: number): number => DATACENTERS[server - 1] as number

export function roundTripMs(places: Places, a: number, b: number): number {
  const [from, to] = [Math.min(datacenterOf(a), datacenterOf(b)), Math.max(datacenterOf(a), datacenterOf(b))]
  return from === to ? INSIDE_MS : (places.rttMs[from + to - 1] as number)
}

/** From a leader to the last server that it needs for a majority, if all are as quick as they can be. */
export function nearestMajorityMs(places: Places, leader: number): number {
  const others = [...DATACENTERS.keys()].map((i) => i + 1).filter((server) => server !== leader)
  const sorted = others.map((server) => roundTripMs(places, leader, server)).sort((a, b) => a - b)
  return sorted[MAJORITY - 2] as number
}

/** What one message takes. */
export function wayMs(places: Places, from: number, to: number, prng: Prng): number {
  return (roundTripMs(places, from, to) / 2) * (1 + (prng.next() * 2 - 1) * JITTER)
}

/** The median of what `nearestMajorityMs` is for single round trips: of two that are waited for, the later one counts. */
export function medianToMajorityMs(places: Places, leader: number): number {
  const prng = createPrng(1)
  const others = [...DATACENTERS.keys()].map((i) => i + 1).filter((server) => server !== leader)
  const once = (): number => {
    const trips = others.map((server) => wayMs(places, leader, server, prng) + wayMs(places, server, leader, prng))
    return trips.sort((a, b) => a - b)[MAJORITY - 2] as number
  }
  const sorted = Array.from({ length: 1001 }, once).sort((a, b) => a - b)
  return sorted[500] as number
}

/** The first voters of the datacenters that are nearest to and furthest from a majority. */
export function bestAndWorst(places: Places): { best: number; worst: number } {
  const sorted = [1, 3, 5].sort((a, b) => nearestMajorityMs(places, a) - nearestMajorityMs(places, b))
  return { best: sorted[0] as number, worst: sorted[2] as number }
}
