import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { connectNative } from '../../../src/client/native/connect.ts'
import type { Figure } from '../figure.ts'
import { grpcLoad } from '../grpc-load.ts'
import type { KvServers } from '../kv-servers.ts'
import { fill } from './fill.ts'
import { beside, progress, GET, getMessage, MANY, PUT, putMessage } from './rounds.ts'

const REPLAYED = Math.min(10_000, MANY)
const SERVING_S_MAX = 3

/** From the start of the program to its first answer, with many keys in the file and some entries of the log not in it. */
export async function* restart(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  if (count > 1) return
  const seconds = new Map<string, number>()
  for (const each of servers) {
    await fill(each, MANY, (n) => `restart/${n}`, new Uint8Array(64))
    progress(`  ${each.name} has its ${MANY} keys`)
    seconds.set(each.name, await again(each))
    progress(`  ${each.name} serves again after ${seconds.get(each.name)?.toFixed(2)} s`)
  }
  yield* beside(`serving again with ${MANY} keys and ${REPLAYED} entries to replay`, seconds, 's', '<=', SERVING_S_MAX)
}

async function again(servers: KvServers): Promise<number> {
  const dir = servers.dirs[0] as string
  const port = servers.ports[0] as number
  await servers.end(0, 'SIGTERM')
  const isOurs = servers.name === 'muster'
  // The file as it is now is put back after the entries that it is to miss.
  const kept = `${dir}-kept.db`
  if (isOurs) cpSync(join(dir, 'kv.db'), kept)
  await servers.restart(0)
  await entries(servers, port)
  await servers.end(0, 'SIGKILL')
  if (isOurs) {
    for (const file of ['kv.db-wal', 'kv.db-shm']) rmSync(join(dir, file), { force: true })
    cpSync(kept, join(dir, 'kv.db'))
    rmSync(kept)
  }
  const startedMs = performance.now()
  servers.start(0)
  for (let tries = 0; tries < 6000; tries += 1) {
    const one = { connections: 1, streams: 1, calls: 1, seconds: 1, rate: 0 }
    const done = await grpcLoad({ host: '127.0.0.1', port, path: GET, message: getMessage, ...one }).catch(() => null)
    if (done !== null && done.calls === 1 && done.failed === 0) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return (performance.now() - startedMs) / 1000
}

/** So many entries of the log, each at a position of its own. */
async function entries(servers: KvServers, port: number): Promise<void> {
  if (servers.name === 'etcd') {
    await grpcLoad({
      host: '127.0.0.1',
      port,
      path: PUT,
      connections: 1,
      streams: 1,
      message: putMessage,
      calls: REPLAYED,
      seconds: 600,
      rate: 0,
    })
    return
  }
  const client = connectNative({ endpoints: [`127.0.0.1:${port}`] })
  for (let i = 0; i < REPLAYED; i += 1) await client.put(`replayed/${i}`, 'v')
  client.close()
}
