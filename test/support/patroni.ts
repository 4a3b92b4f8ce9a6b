import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

const POSTGRES_BIN = '/usr/lib/postgresql/15/bin'

/** What this machine lacks for it; empty: nothing. */
export const missingForPatroni = (): string[] => [
  ...(spawnSync('patroni', ['--version']).error === undefined ? [] : ['patroni']),
  ...(existsSync(`${POSTGRES_BIN}/postgres`) ? [] : ['postgresql-15']),
  // PostgreSQL does not run as root, and only root may run it as somebody else.
  ...(process.getuid?.() === 0 ? [] : ['root']),
]

export interface PatroniNode {
  name: string
  rest: string
  port: number
  dataDir: string
  process: ChildProcess
}

interface Member {
  name: string
  role: string
  state: string
}

/** Two PostgreSQL under Patroni, which keeps its leader's key in a store. */
export interface PatroniPair {
  primary: PatroniNode
  replica: PatroniNode
  end: () => void
}

/** Starts both and waits until one follows the other. @param store `host:port` of etcd's API */
export async function startPatroniPair(store: string): Promise<PatroniPair> {
  const root = mkdtempSync(join(tmpdir(), 'muster-patroni-'))
  chmodSync(root, 0o777)
  const nodes: PatroniNode[] = []
  const end = (): void => {
    for (const node of nodes) killPatroni(node)
    rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
  try {
    for (const name of ['pg1', 'pg2']) nodes.push(await startNode(root, name, store))
    const [first] = nodes as [PatroniNode, PatroniNode]
    await eventually('a primary and a replica', 60_000, async () => {
      const running = (await patroniMembers(first)).filter(({ state }) => state === 'running' || state === 'streaming')
      return running.length === 2 && running.some(({ role }) => role === 'leader')
    })
    const leader = (await patroniMembers(first)).find(({ role }) => role === 'leader') as Member
    const primary = nodes.find(({ name }) => name === leader.name) as PatroniNode
    const replica = nodes.find(({ name }) => name !== leader.name) as PatroniNode
    return { primary, replica, end }
  } catch (error) {
    end()
    throw error
  }
}

async function startNode(root: string, name: string, store: string): Promise<PatroniNode> {
  const [restPort, port] = [await freePort(), await freePort()]
  const [rest, dataDir, file] = [`127.0.0.1:${restPort}`, join(root, name), join(root, `${name}.json`)]
  const config = {
    scope: 'pg',
    name,
    restapi: { listen: rest, connect_address: rest },
    etcd3: { host: store },
    bootstrap: {
      dcs: { ttl: 20, loop_wait: 5, retry_timeout: 5 },
      initdb: [{ encoding: 'UTF8' }, 'data-checksums'],
      pg_hba: ['host replication replicator 127.0.0.1/32 trust', 'host all all 127.0.0.1/32 trust'],
    },
    postgresql: {
      listen: `127.0.0.1:${port}`,
      connect_address: `127.0.0.1:${port}`,
      data_dir: dataDir,
      bin_dir: POSTGRES_BIN,
      authentication: { replication: { username: 'replicator', password: 'r' }, superuser: { username: 'postgres', password: 'p' } },
      pgpass: join(root, `${name}.pass`),
      parameters: { unix_socket_directories: root, shared_buffers: '16MB' },
    },
  }
  // YAML takes JSON.
  writeFileSync(file, JSON.stringify(config), { mode: 0o644 })
  const identity = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  const child = spawn('patroni', [file], {
    uid: identity('-u'),
    gid: identity('-g'),
    stdio: 'ignore',
    cwd: root,
    env: { ...process.env, HOME: root },
  })
  return { name, rest, port, dataDir, process: child }
}

export const patroniMembers = async ({ rest }: PatroniNode): Promise<Member[]> =>
  ((await (await fetch(`http://${rest}/cluster`, { signal: AbortSignal.timeout(2000) })).json()) as { members: Member[] }).members

/** The postmaster's process, while it has one. */
function postmaster({ dataDir }: PatroniNode): number | null {
  const file = join(dataDir, 'postmaster.pid')
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : null
}

export const patroniSql = ({ port }: PatroniNode, statement: string): string =>
  execFileSync(`${POSTGRES_BIN}/psql`, ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-Atc', statement], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()

/** Patroni and its PostgreSQL, as a machine does whose power fails. */
export function killPatroni(node: PatroniNode): void {
  node.process.kill('SIGKILL')
  const pid = postmaster(node)
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}
