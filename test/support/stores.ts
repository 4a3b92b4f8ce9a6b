import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newDelosServers } from './delos-servers.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

/** A store with etcd's v3 API that a test may kill and start again. */
export interface TestStore {
  url: string
  start: () => Promise<void>
  kill: () => Promise<void>
  pause: () => void
  resume: () => void
  remove: () => Promise<void>
}

const hasProgram = (name: string, ...args: string[]): boolean => spawnSync(name, args, { stdio: 'ignore' }).status === 0

export const hasEtcd = hasProgram('etcd', '--version')
export const hasEtcdctl = hasProgram('etcdctl', 'version')

/** Stores to run the same scenarios against; etcd's own is skipped by name where it is not installed. */
export const STORES = [
  { name: 'muster delos serve', isMissing: false, make: newOwnStore },
  { name: hasEtcd ? 'etcd' : 'etcd (not installed)', isMissing: !hasEtcd, make: newEtcd },
] as const

async function newOwnStore(): Promise<TestStore> {
  const cluster = await newDelosServers(1)
  const [server] = cluster.servers
  if (server === undefined) throw new Error('one server was asked for')
  return {
    url: server.url,
    start: async () => {
      server.start()
      await cluster.healthy()
    },
    kill: async () => void (await server.end('SIGKILL')),
    pause: server.pause,
    resume: server.resume,
    remove: cluster.remove,
  }
}

async function newEtcd(): Promise<TestStore> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-etcd-'))
  const [url, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
  let child: ChildProcess | null = null
  const kill = async (): Promise<void> => {
    const ending = child
    child = null
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return
    ending.kill('SIGKILL')
    await once(ending, 'exit')
  }
  return {
    url,
    start: async () => {
      const flags = ['--data-dir', dir, '--listen-client-urls', url, '--advertise-client-urls', url, '--listen-peer-urls', peer]
      flags.push('--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`)
      child = spawn('etcd', flags, { stdio: 'ignore' })
      await eventually('etcd is healthy', 20_000, async () => (await fetch(`${url}/health`)).ok)
    },
    kill,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    remove: async () => {
      await kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
