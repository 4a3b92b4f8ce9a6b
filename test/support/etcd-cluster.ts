import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

export interface EtcdMember {
  url: string
  start: () => void
  kill: () => Promise<void>
}

export interface EtcdCluster {
  members: EtcdMember[]
  urls: string[]
  /** Waits until every member that runs answers. */
  healthy: () => Promise<void>
  /** etcd's own command line; gives what it printed, throws what it printed when it failed. */
  ctl: (...args: string[]) => string
  remove: () => Promise<void>
}

/** Files of a certificate that etcd serves its clients with. */
export interface EtcdTls {
  certFile: string
  keyFile: string
  caFile: string
}

/** A real etcd of so many members, not started yet, each of which can be killed and started again. */
export async function newEtcd(count: number, tls: EtcdTls | null = null): Promise<EtcdCluster> {
  const root = mkdtempSync(join(tmpdir(), 'muster-etcd-'))
  const ports: { client: string; peer: string }[] = []
  const scheme = tls === null ? 'http' : 'https'
  for (let i = 0; i < count; i += 1)
    ports.push({ client: `${scheme}://127.0.0.1:${await freePort()}`, peer: `http://127.0.0.1:${await freePort()}` })
  const cluster = ports.map(({ peer }, i) => `m${i}=${peer}`).join(',')
  const urls = ports.map(({ client }) => client)
  const certificate = tls === null ? [] : ['--cert-file', tls.certFile, '--key-file', tls.keyFile]
  const running = new Set<string>()
  const ctl = (...args: string[]): string => {
    const trusted = tls === null ? [] : ['--cacert', tls.caFile]
    const { status, stdout, stderr } = spawnSync('etcdctl', ['--endpoints', urls.join(','), ...trusted, ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      encoding: 'utf8',
      timeout: 20_000,
    })
    if (status !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }
  const members = ports.map(({ client, peer }, i): EtcdMember => {
    let child: ChildProcess | null = null
    return {
      url: client,
      start: () => {
        const listen = ['--listen-client-urls', client, '--advertise-client-urls', client]
        listen.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', cluster)
        child = spawn('etcd', ['--name', `m${i}`, '--data-dir', join(root, `m${i}`), ...listen, ...certificate], { stdio: 'ignore' })
        running.add(client)
      },
      kill: async () => {
        const ending = child
        child = null
        running.delete(client)
        if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return
        ending.kill('SIGKILL')
        await once(ending, 'exit')
      },
    }
  })
  return {
    members,
    urls,
    ctl,
    healthy: async () => {
      for (const url of running)
        await eventually('etcd is healthy', 60_000, async () => {
          if (tls === null) return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(3000) })).ok
          const curl = spawnSync('curl', ['--silent', '--fail', '--max-time', '3', '--cacert', tls.caFile, `${url}/health`])
          return curl.status === 0
        })
    },
    remove: async () => {
      for (const member of members) await member.kill()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
