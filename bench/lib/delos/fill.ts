import { connectNative } from '../../../src/client/native/connect.ts'
import { grpcLoad } from '../grpc-load.ts'
import type { KvServers } from '../kv-servers.ts'
import { PUT, putOf } from './rounds.ts'

/** Puts `count` times, the n-th to `keyOf(n)`; to ours by the batching client, as there it takes a tenth of the time. */
export async function fill(servers: KvServers, count: number, keyOf: (n: number) => string, value: Uint8Array): Promise<void> {
  const port = await servers.leaderPort()
  if (servers.name === 'etcd') {
    const message = (n: number): Uint8Array => putOf(keyOf(n), value)
    await grpcLoad({ host: '127.0.0.1', port, path: PUT, connections: 10, streams: 100, message, calls: count, seconds: 3600, rate: 0 })
    return
  }
  const client = connectNative({ endpoints: [`127.0.0.1:${port}`], patienceMs: 60_000 })
  let n = 0
  const lane = async (): Promise<void> => {
    while (n < count) await client.put(keyOf(n++), value)
  }
  await Promise.all(Array.from({ length: 1000 }, lane))
  client.close()
}
