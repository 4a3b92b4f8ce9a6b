import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { availability } from './lib/delos/availability.ts'
import { gets, latency, puts } from './lib/delos/calls.ts'
import { catchUp } from './lib/delos/catch-up.ts'
import { compaction } from './lib/delos/compaction.ts'
import { failover } from './lib/delos/failover.ts'
import { gap } from './lib/delos/gap.ts'
import { lost } from './lib/delos/lost.ts'
import { native } from './lib/delos/native.ts'
import { restart } from './lib/delos/restart.ts'
import { figure, progress, serversOf } from './lib/delos/rounds.ts'
import { switchGap } from './lib/delos/switch.ts'
import { wan } from './lib/delos/wan.ts'
import { watch } from './lib/delos/watch.ts'
import type { Figure } from './lib/figure.ts'
import { hasEtcd, startKvServers, type KvServers } from './lib/kv-servers.ts'

/*
 * The store beside Debian's etcd on the same disk, by the same generator, rounds of both interleaved; medians of the rounds are printed.
 * Generator and servers share the machine, so its figures are of this machine under that load. docs/hacking.md says how to run all of it,
 * and in small; every figure is printed when it is there.
 *
 * $MUSTER_BENCH_DIR: the disk; _SERVERS: counts of servers, e.g. `1,3`; _PEERS=none: without etcd; _SECONDS, _ROUNDS: length and number of
 * rounds; _MANY: keys, updates or revisions where a million is asked for; _KILLS: of the leader; _SWITCHES: of the loglet; _FAILOVERS: of
 * Patroni; _SEEDS, _KILL_ROUNDS: of `lost`; _WAN_SEEDS: of each fault in `wan`.
 */

type Part = (servers: KvServers[], count: number) => AsyncGenerator<Figure>

/** Each gets servers of one count; a part that is about one server, or about several, gives nothing for the others. */
const PARTS: Record<string, Part> = {
  puts,
  latency,
  gets,
  native,
  watch,
  'catch-up': catchUp,
  compaction,
  restart,
  gap,
  switch: switchGap,
  failover,
}
/** These leave so much behind that they begin with empty servers. */
const ALONE = new Set(['catch-up', 'compaction', 'restart', 'failover'])
/** These want no servers. */
const SIMULATED: Record<string, () => AsyncGenerator<Figure>> = { wan, lost }
/** Made of what others measure. */
const AVAILABILITY = 'availability'
const MEASURED = ['gap', 'switch']

export const parts = [...Object.keys(PARTS), AVAILABILITY, ...Object.keys(SIMULATED)]

const COUNTS = (process.env['MUSTER_BENCH_SERVERS'] ?? '1,3,5').split(',').map(Number)

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  const wanted = new Set(asked.includes(AVAILABILITY) ? [...asked, ...MEASURED] : asked)
  const withServers = Object.keys(PARTS).filter((name) => wanted.has(name))
  const dir = mkdtempSync(join(process.env['MUSTER_BENCH_DIR'] ?? tmpdir(), 'muster-bench-delos-'))
  try {
    for (const count of withServers.length > 0 ? COUNTS : []) {
      yield* measure(
        withServers.filter((name) => !ALONE.has(name)),
        count,
        dir,
      )
      for (const name of withServers) if (ALONE.has(name) && count === 1) yield* measure([name], count, dir)
      if (wanted.has(AVAILABILITY)) yield* availability(count)
    }
    for (const [name, simulate] of Object.entries(SIMULATED)) if (wanted.has(name)) yield* guarded(name, simulate())
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function* measure(wanted: readonly string[], count: number, dir: string): AsyncGenerator<Figure> {
  if (wanted.length === 0) return
  const names = hasEtcd() && process.env['MUSTER_BENCH_PEERS'] !== 'none' ? (['muster', 'etcd'] as const) : (['muster'] as const)
  const servers: KvServers[] = []
  try {
    progress(`${serversOf(count)} each of ${names.join(' and ')}: starting`)
    for (const name of names) servers.push(await startKvServers(name, count, dir))
    for (const name of wanted) yield* guarded(`${name}, ${serversOf(count)}`, (PARTS[name] as Part)(servers, count))
  } finally {
    for (const each of servers) await each.stop()
  }
}

/** A part that cannot go on is a figure that was missed, and the others are measured all the same. */
async function* guarded(name: string, part: AsyncGenerator<Figure>): AsyncGenerator<Figure> {
  progress(`${name}: begins`)
  const startedMs = performance.now()
  try {
    yield* part
    progress(`${name}: over after ${Math.round((performance.now() - startedMs) / 1000)} s`)
  } catch (error) {
    progress(`${name}: failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    yield figure(`${name}: failures of the measurement itself`, 1, '', '<=', 0)
  }
}
