import { WINDOW_BATCHES_MAX, WAN, wanTimers, type Timers } from '../../../src/core/delos/paxos/config.ts'
import {
  DATACENTERS,
  LAN_PLACES,
  PLACES,
  bestAndWorst,
  datacenterOf,
  medianToMajorityMs,
  nearestMajorityMs,
  type Places,
} from '../../../sim/delos/wan/places.ts'
import { syncQuantileMs, type DiskKind } from '../../../sim/delos/wan/sync-times.ts'
import { WanWorld } from '../../../sim/delos/wan/world.ts'
import type { Figure } from '../figure.ts'
import { quantile } from '../quantile.ts'
import { figure } from './rounds.ts'

/*
 * Voters in three datacenters, two, two and one: the machine as it is, on simulated time, ways and disks (`sim/delos/wan/`), each figure from
 * its own seeds. What a server computes takes no time there, so throughput is what window, ways and disks allow.
 */

/** Runs with a fault, of each kind and place. */
const SEEDS = Number(process.env['MUSTER_BENCH_WAN_SEEDS'] ?? 20)
const WRITES = 300
const WRITE_BYTES = 256
const BATCH_BYTES = 16 * 1024
const OUTSTANDING = 8 * WINDOW_BATCHES_MAX
const FAILOVER_MS_MAX = 1200
/** Where the target of a failover is meant for. */
const FAILOVER_RTT_MS = 80

export async function* wan(): AsyncGenerator<Figure> {
  const room = throughputOf(LAN_PLACES, 1, 'quiet')
  yield figure('wan, simulated: batches of 16 KiB in one room, quiet disk', room, '1/s')
  for (const places of PLACES) {
    const { best, worst } = bestAndWorst(places)
    const leaders = nearestMajorityMs(places, best) === nearestMajorityMs(places, worst) ? [best] : [best, worst]
    for (const leader of leaders) {
      const where = leaders.length === 1 ? '' : leader === best ? ', leader in the best place' : ', leader in the worst place'
      const name = `wan, simulated: ${places.name}${where}`
      const nearestMs = nearestMajorityMs(places, leader)
      for (const disk of ['quiet', 'busy'] as const) {
        const latencies = new WanWorld({ seed: 1, places, leader, disk }).commits(WRITES, WRITE_BYTES)
        const limitMs = medianToMajorityMs(places, leader) + 1.5 * syncQuantileMs(disk, 0.5)
        yield figure(`${name}, ${disk} disk: commit p50`, quantile(latencies, 0.5), 'ms', '<=', limitMs)
        yield figure(`${name}, ${disk} disk: commit p99`, quantile(latencies, 0.99), 'ms')
      }
      const possible = Math.min((WINDOW_BATCHES_MAX * 1000) / nearestMs, room)
      const rate = throughputOf(places, leader, 'quiet')
      yield figure(`${name}: batches of 16 KiB, of ${Math.round(possible)}/s that window and way allow`, rate, '1/s', '>=', possible * 0.8)
      yield* faults(name, places, leader)
    }
  }
}

function throughputOf(places: Places, leader: number, disk: DiskKind): number {
  const forMs = Math.max(500, nearestMajorityMs(places, leader) * 50)
  return new WanWorld({ seed: 2, places, leader, disk }).throughput(forMs, BATCH_BYTES, OUTSTANDING)
}

function* faults(name: string, places: Places, leader: number): Generator<Figure> {
  const furthestMs = Math.max(...places.rttMs)
  const gapFigure = (what: string, of: readonly number[]): Figure => {
    const metric = `${name}: ${what}, worst of ${SEEDS}`
    const worst = Math.max(...of)
    return furthestMs <= FAILOVER_RTT_MS ? figure(metric, worst, 'ms', '<=', FAILOVER_MS_MAX) : figure(metric, worst, 'ms')
  }
  let [lost, acknowledged] = [0, 0]
  const gaps = (timers: Timers, fail: (world: WanWorld) => number): number[] =>
    Array.from({ length: SEEDS }, (_, seed) => {
      const world = new WanWorld({ seed, places, leader, disk: 'busy', timers })
      world.commits(20, WRITE_BYTES)
      const gap = fail(world)
      lost += world.lost()
      acknowledged += world.acknowledged
      return gap
    })
  const killed = gaps(WAN, (world) => world.killLeader())
  yield gapFigure('write gap when the leader is killed', killed)
  const own = datacenterOf(leader)
  const dark = gaps(WAN, (world) => world.loseDatacenter(own))
  yield gapFigure('write gap when its datacenter is lost', dark)
  const raised = gaps(wanTimers(furthestMs), (world) => world.loseDatacenter(own))
  yield figure(`${name}: the same with timers raised for its round trips`, Math.max(...raised), 'ms')
  for (const other of new Set(DATACENTERS)) if (other !== own) gaps(WAN, (world) => world.loseDatacenter(other))
  yield figure(`${name}: writes acknowledged around those faults`, acknowledged, '')
  yield figure(`${name}: of them lost`, lost, '', '<=', 0)
}
