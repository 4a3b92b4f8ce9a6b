import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/platform/free-port.ts'

/** 1, 3 or 5 servers with etcd's API on loopback: ours, or Debian's etcd. */
export interface KvServers {
  name: 'muster' | 'etcd'
  /** client port of the leader */
  leaderPort: () => Promise<number>
  ports: number[]
  /** data directories, by place */
  dirs: string[]
  /** CPU that all servers took so far, µs */
  cpuUs: () => number
  /** Ends the leader as `kill -9` does; gives its place. */
  killLeader: () => Promise<number>
  end: (place: number, signal: NodeJS.Signals) => Promise<void>
  start: (place: number) => void
  /** Starts it and waits for its first answer. */
  restart: (place: number) => Promise<void>
  stop: () => Promise<void>
}

const MUSTER = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))
const TICKS_PER_SECOND = 100
const HOST = '127.0.0.1'

/** What runs, and where its data is: gone with the benchmark, however that ends. */
const running = new Set<ChildProcess>()
const roots = new Set<string>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const root of roots) rmSync(root, { recursive: true, force: true })
})

export const hasEtcd = (): boolean => spawnSync('etcd', ['--version']).error === undefined

/** @param dir on the disk that is measured */
export async function startKvServers(name: 'muster' | 'etcd', count: number, dir: string): Promise<KvServers> {
  const root = mkdtempSync(join(dir, `${name}-`))
  roots.add(root)
  const places = Array.from({ length: count }, (_, i) => ({ name: `s${i}`, client: 0, peer: 0 }))
  for (const place of places) Object.assign(place, { client: await freePort(HOST), peer: await freePort(HOST) })
  const cluster = places.map((place) => `${place.name}=http://127.0.0.1:${place.peer}`).join(',')
  const children: (ChildProcess | null)[] = []
  let spentUs = 0

  const start = (i: number): void => {
    const place = places[i] as (typeof places)[number]
    const url = `http://127.0.0.1:${place.client}`
    const peer = `http://127.0.0.1:${place.peer}`
    const flags = ['--name', place.name, '--data-dir', join(root, place.name), '--listen-client-urls', url, '--advertise-client-urls', url]
    flags.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', cluster)
    const child =
      name === 'etcd'
        ? spawn('etcd', flags, { stdio: 'ignore' })
        : spawn(process.execPath, [MUSTER, 'delos', 'serve', ...flags], { stdio: 'ignore' })
    children[i] = child
    running.add(child)
    child.once('exit', () => running.delete(child))
  }

  const status = async (port: number): Promise<{ leader: string; self: string } | null> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, {
        method: 'POST',
        body: '{}',
        signal: AbortSignal.timeout(500),
      })
      const body = (await answer.json()) as { leader?: string; header: { member_id: string } }
      return { leader: body.leader ?? '0', self: body.header.member_id }
    } catch {
      return null
    }
  }

  const leader = async (): Promise<number> => {
    for (let tries = 0; tries < 600; tries += 1) {
      const all = await Promise.all(places.map(({ client }) => status(client)))
      const place = all.findIndex((each) => each !== null && each.leader === each.self)
      if (place >= 0) return place
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${count} servers of ${name} found no leader`)
  }

  const cpuOf = (child: ChildProcess): number => {
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND
  }

  for (const i of places.keys()) start(i)
  await leader()
  return {
    name,
    ports: places.map(({ client }) => client),
    dirs: places.map((place) => join(root, place.name)),
    leaderPort: async () => places[await leader()]?.client as number,
    cpuUs: () => spentUs + children.reduce((sum, child) => sum + (child === null ? 0 : cpuOf(child)), 0),
    killLeader: async () => {
      const place = await leader()
      const child = children[place] as ChildProcess
      spentUs += cpuOf(child)
      children[place] = null
      child.kill('SIGKILL')
      return place
    },
    end: async (place, signal) => {
      const child = children[place] as ChildProcess
      spentUs += cpuOf(child)
      children[place] = null
      child.kill(signal)
      await once(child, 'exit')
    },
    start,
    restart: async (place) => {
      start(place)
      for (let tries = 0; tries < 600 && (await status(places[place]?.client as number)) === null; tries += 1)
        await new Promise((resolve) => setTimeout(resolve, 50))
    },
    stop: async () => {
      for (const child of children) {
        if (child === null || child.exitCode !== null) continue
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      rmSync(root, { recursive: true, force: true })
      roots.delete(root)
    },
  }
}
