import { connectNative } from '../../../src/client/native/connect.ts'
import type { Figure } from '../figure.ts'
import type { KvServers } from '../kv-servers.ts'
import { median } from '../quantile.ts'
import { figure, interleaved, keyOf, roundOf, SECONDS, serversOf, sum, type Round } from './rounds.ts'

const VALUE = new Uint8Array(64).fill(0x61)
const OUTSTANDING = 1000
const WARM_SECONDS = 1
/** Latencies are taken of every so manieth, so that noting them costs nothing. */
const SAMPLED = 16

/** Durable operations a second over the batching client, by count of servers. */
const TARGETS: Record<number, number> = { 1: 100_000, 3: 200_000, 5: 100_000 }

/** Puts and gets of 64 bytes over one connection of the batching client, a thousand under way. etcd has nothing like it. */
export async function* native(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  const ours = servers.filter(({ name }) => name === 'muster')
  const of = serversOf(count)
  let clientUs = 0
  const puts = await interleaved(ours, async (each) => {
    const { round, ownUs } = await run(each, (client, n) => client.put(keyOf(n), VALUE))
    clientUs = ownUs
    return round
  })
  const rounds = puts.get('muster') ?? []
  const of50 = (key: keyof Round): number => median(rounds.map((round) => round[key]))
  yield figure(`native puts of 64 B, ${of}, ${OUTSTANDING} under way`, of50('perSecond'), '1/s', '>=', TARGETS[count] ?? 100_000)
  yield figure(`CPU of all a native put, ${of}`, of50('cpuUs'), 'µs')
  yield figure(`CPU of the client a native put, ${of}`, clientUs, 'µs')
  yield figure(`native put p50, ${of}`, of50('p50Ms'), 'ms')
  yield figure(`native put p99, ${of}`, of50('p99Ms'), 'ms')
  yield figure(`failed native puts, ${of}`, sum(rounds, 'failed'), '', '<=', 0)
  const gets = await interleaved(ours, async (each) => (await run(each, (client, n) => client.get(keyOf(n * 7919)))).round)
  yield figure(`native gets, ${of}`, median((gets.get('muster') ?? []).map(({ perSecond }) => perSecond)), '1/s')
}

async function run(
  servers: KvServers,
  ask: (client: ReturnType<typeof connectNative>, n: number) => Promise<unknown>,
): Promise<{ round: Round; ownUs: number }> {
  const client = connectNative({ endpoints: [`127.0.0.1:${await servers.leaderPort()}`], patienceMs: 30_000 })
  let [asked, done, failed, isOver] = [0, 0, 0, false]
  let latenciesMs: number[] = []
  const lane = async (): Promise<void> => {
    while (!isOver) {
      const isSampled = asked % SAMPLED === 0
      const startedMs = isSampled ? performance.now() : 0
      asked += 1
      try {
        await ask(client, asked)
        done += 1
      } catch {
        // Counted, and judged: none may fail.
        failed += 1
      }
      if (isSampled) latenciesMs.push(performance.now() - startedMs)
    }
  }
  const lanes = Array.from({ length: OUTSTANDING }, lane)
  await sleep(WARM_SECONDS)
  latenciesMs = []
  const [doneBefore, cpuBefore, ownBefore, startedMs] = [done, servers.cpuUs(), process.cpuUsage(), performance.now()]
  await sleep(SECONDS)
  const [calls, cpuUs, own, seconds] = [
    done - doneBefore,
    servers.cpuUs() - cpuBefore,
    process.cpuUsage(ownBefore),
    (performance.now() - startedMs) / 1000,
  ]
  isOver = true
  const samples = latenciesMs
  await Promise.all(lanes)
  client.close()
  return { round: roundOf(calls, failed, seconds, samples, cpuUs), ownUs: (own.user + own.system) / calls }
}

const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000))
