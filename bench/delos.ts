import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gets, latency, puts } from './lib/delos/calls.ts'
import { catchUp } from './lib/delos/catch-up.ts'
import { compaction } from './lib/delos/compaction.ts'
import { gap } from './lib/delos/gap.ts'
import { native } from './lib/delos/native.ts'
import { switchGap } from './lib/delos/switch.ts'
import { restart } from './lib/delos/restart.ts'
import { wan } from './lib/delos/wan.ts'
import { watch } from './lib/delos/watch.ts'
import type { Figure } from './lib/figure.ts'
import { hasEtcd, startKvServers, type KvServers } from './lib/kv-servers.ts'

/*
 * The store beside Debian's etcd on the same disk, by the same generator, rounds of both interleaved; medians of the rounds are printed.
 * Generator and servers share the machine, so its figures are of this machine under that load. $MUSTER_BENCH_DIR: the disk;
 * $MUSTER_BENCH_SECONDS, _ROUNDS: length and number of rounds; $MUSTER_BENCH_SERVERS: counts of servers, e.g. `1,3`; $MUSTER_BENCH_MANY: keys,
 * updates or revisions where a million is asked for; $MUSTER_BENCH_PEERS=none: without etcd.
 */

type Part = (servers: KvServers[], count: number) => AsyncGenerator<Figure>

/** Each gets servers of one count; a part that is about one server, or about several, gives nothing for the others. */
const PARTS: Record<string, Part> = { puts, latency, gets, native, watch, 'catch-up': catchUp, compaction, restart, gap, switch: switchGap }
/** These leave so much behind that they begin with empty servers. */
const ALONE = new Set(['catch-up', 'compaction', 'restart'])

export const parts = Object.keys(PARTS)

const COUNTS = (process.env['MUSTER_BENCH_SERVERS'] ?? '1,3,5').split(',').map(Number)

export async function* run(wanted: readonly string[] = parts): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(process.env['MUSTER_BENCH_DIR'] ?? tmpdir(), 'muster-bench-delos-'))
  try {
    for (const count of COUNTS) {
      yield* measure(
        wanted.filter((name) => !ALONE.has(name)),
        count,
        dir,
      )
      for (const name of wanted) if (ALONE.has(name) && count === 1) yield* measure([name], count, dir)
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function* measure(wanted: readonly string[], count: number, dir: string): AsyncGenerator<Figure> {
  if (wanted.length === 0) return
  const names = hasEtcd() && process.env['MUSTER_BENCH_PEERS'] !== 'none' ? (['muster', 'etcd'] as const) : (['muster'] as const)
  const servers: KvServers[] = []
  try {
    for (const name of names) servers.push(await startKvServers(name, count, dir))
    for (const name of wanted) yield* (PARTS[name] as Part)(servers, count)
  } finally {
    for (const each of servers) await each.stop()
  }
}
