import { eventually } from '../../../test/support/eventually.ts'
import { killPatroni, missingForPatroni, patroniSql, startPatroniPair } from '../../../test/support/patroni.ts'
import type { Figure } from '../figure.ts'
import type { KvServers } from '../kv-servers.ts'
import { median } from '../quantile.ts'
import { beside, progress } from './rounds.ts'

const FAILOVERS = Number(process.env['MUSTER_BENCH_FAILOVERS'] ?? 1)
const SECONDS_MAX = 14

/** From `kill -9` of a PostgreSQL under Patroni, ttl 20, to the replica that takes writes: how soon its leader's key ends, and is seen to. */
export async function* failover(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  if (count > 1) return
  const missing = missingForPatroni()
  if (missing.length > 0) return progress(`failover: left out, it wants ${missing.join(', ')}`)
  const seconds = new Map<string, number>()
  for (const each of servers) {
    const took: number[] = []
    for (let i = 0; i < FAILOVERS; i += 1) {
      took.push(await once(each))
      progress(`failover on ${each.name}: ${(took.at(-1) as number).toFixed(1)} s`)
    }
    seconds.set(each.name, median(took))
  }
  yield* beside(`failover of Patroni, ttl 20, median of ${FAILOVERS}`, seconds, 's', '<=', SECONDS_MAX)
}

async function once(servers: KvServers): Promise<number> {
  const port = await servers.leaderPort()
  // What a run before left: the cluster would be taken for one that exists.
  await fetch(`http://127.0.0.1:${port}/v3/kv/deleterange`, { method: 'POST', body: JSON.stringify({ key: 'AA==', range_end: 'AA==' }) })
  const pair = await startPatroniPair(`127.0.0.1:${port}`)
  try {
    patroniSql(pair.primary, 'create table t (n int); insert into t values (42)')
    await eventually('the replica has it', 30_000, () => patroniSql(pair.replica, 'select n from t') === '42')
    const killedMs = performance.now()
    killPatroni(pair.primary)
    await eventually('the replica takes over', 120_000, () => patroniSql(pair.replica, 'select pg_is_in_recovery(), n from t') === 'f|42')
    return (performance.now() - killedMs) / 1000
  } finally {
    pair.end()
  }
}
