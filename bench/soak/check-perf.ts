import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeServers, untilReady } from './loopback.ts'
import { newRoot } from './servers.ts'

export interface CheckPerfOptions {
  servers: 1 | 3
  profile: 'lan' | 'wan'
  loads: readonly string[]
}

/** Runs `etcdctl check perf` on new servers, which says PASS or FAIL by etcd's own measure. It wants the machine for itself: a minute a load. */
export async function runCheckPerf({ servers: count, profile, loads }: CheckPerfOptions): Promise<number> {
  const env = { ...process.env, ETCDCTL_API: '3' }
  if (spawnSync('etcdctl', ['version'], { env }).error !== undefined) {
    process.stderr.write('check-perf needs etcdctl.\n')
    return 2
  }
  const root = newRoot()
  const servers = await makeServers({ servers: count, profile }, root)
  try {
    for (const server of servers) server.start()
    await untilReady(servers)
    let failed = 0
    for (const load of loads) {
      process.stdout.write(`etcdctl check perf --load=${load}, ${count === 1 ? 'one server' : `${count} servers`}\n`)
      const endpoints = servers.map(({ url }) => url).join(',')
      const run = spawn('etcdctl', ['--endpoints', endpoints, 'check', 'perf', `--load=${load}`, '--auto-compact'], {
        env,
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      const [code] = (await once(run, 'exit')) as [number | null]
      if (code !== 0) failed += 1
      await sleep(1000)
    }
    return failed === 0 ? 0 : 1
  } finally {
    await Promise.all(servers.map((server) => server.signal('SIGKILL')))
    rmSync(root, { recursive: true, force: true })
  }
}
