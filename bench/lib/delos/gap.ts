import type { Figure } from '../figure.ts'
import { grpcLoad } from '../grpc-load.ts'
import type { KvServers } from '../kv-servers.ts'
import { quantile } from '../quantile.ts'
import { measuredGaps } from './availability.ts'
import { figure, progress, PUT, putMessage, serversOf } from './rounds.ts'

const KILLS = Number(process.env['MUSTER_BENCH_KILLS'] ?? 5)
const GAP_MS_MAX = 300

/** Time without an acknowledged write when the leader is killed. */
export async function* gap(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  if (count === 1) return
  for (const each of servers) {
    const gaps = await writeGaps(each)
    const metric = `write gap after kill -9 of the leader, ${serversOf(count)}, of ${KILLS} kills`
    const of = (share: number): number => quantile(gaps, share)
    const whose = each.name === 'muster' ? '' : ' (etcd)'
    if (each.name === 'muster') {
      measuredGaps.crash.set(count, of(0.99))
      yield figure(`${metric}, p99`, of(0.99), 'ms', '<=', GAP_MS_MAX)
    } else yield figure(`${metric}, p99${whose}`, of(0.99), 'ms')
    yield figure(`${metric}, p50${whose}`, of(0.5), 'ms')
    yield figure(`${metric}, worst${whose}`, of(1), 'ms')
  }
}

/** ms of each kill: every few ms a write of its own to whoever is left, so that none waits behind one that got lost with the leader. */
async function writeGaps(servers: KvServers): Promise<number[]> {
  const gaps: number[] = []
  for (let i = 0; i < KILLS; i += 1) {
    const place = await servers.killLeader()
    const killedAt = performance.now()
    const ports = servers.ports.filter((_, at) => at !== place)
    let writtenAt = 0
    const ticker = setInterval(() => {
      for (const port of ports) {
        void once(port)
          .then((isDone) => {
            if (isDone) writtenAt ||= performance.now()
          })
          .catch(() => undefined)
      }
    }, 10)
    while (writtenAt === 0 && performance.now() - killedAt < 15_000) await new Promise((resolve) => setTimeout(resolve, 2))
    clearInterval(ticker)
    if (writtenAt === 0) throw new Error(`no write was acknowledged within 15 s of kill ${i + 1} of ${servers.name}`)
    gaps.push(writtenAt - killedAt)
    progress(`  kill ${i + 1} of ${KILLS}, ${servers.name}: ${Math.round(writtenAt - killedAt)} ms`)
    await servers.restart(place)
    await new Promise((resolve) => setTimeout(resolve, 1500))
  }
  return gaps
}

async function once(port: number): Promise<boolean> {
  const one = { connections: 1, streams: 1, calls: 1, seconds: 5, rate: 0 }
  const { failed, calls } = await grpcLoad({ host: '127.0.0.1', port, path: PUT, message: putMessage, ...one })
  return calls === 1 && failed === 0
}
