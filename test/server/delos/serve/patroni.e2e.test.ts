import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { newDelosServers, type DelosServerProcess } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { freePort } from '../../../support/free-port.ts'

const POSTGRES_BIN = '/usr/lib/postgresql/15/bin'
const MISSING = [
  ...(spawnSync('patroni', ['--version']).error === undefined ? [] : ['patroni']),
  ...(existsSync(`${POSTGRES_BIN}/postgres`) ? [] : ['postgresql-15']),
  // PostgreSQL does not run as root, and only root may run it as somebody else.
  ...(process.getuid?.() === 0 ? [] : ['root']),
]

interface Node {
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

/** One PostgreSQL under Patroni, which keeps its leader's key in our store. */
async function startNode(root: string, name: string, store: string): Promise<Node> {
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

const members = async ({ rest }: Node): Promise<Member[]> =>
  ((await (await fetch(`http://${rest}/cluster`, { signal: AbortSignal.timeout(2000) })).json()) as { members: Member[] }).members

/** The postmaster's process, while it has one. */
function postmaster({ dataDir }: Node): number | null {
  const file = join(dataDir, 'postmaster.pid')
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : null
}

const sql = ({ port }: Node, statement: string): string =>
  execFileSync(`${POSTGRES_BIN}/psql`, ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-Atc', statement], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()

function kill(node: Node): void {
  node.process.kill('SIGKILL')
  const pid = postmaster(node)
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

describe.skipIf(MISSING.length > 0)('Patroni (skipped without patroni, postgresql-15 and root)', () => {
  test('keeps one primary and a replica, which takes over with all data when the primary is killed with -9', async () => {
    const root = mkdtempSync(join(tmpdir(), 'muster-patroni-'))
    chmodSync(root, 0o777)
    const cluster = await newDelosServers(1)
    const nodes: Node[] = []
    try {
      const server = cluster.servers[0] as DelosServerProcess
      server.start()
      await cluster.healthy()
      for (const name of ['pg1', 'pg2']) nodes.push(await startNode(root, name, server.url.slice('http://'.length)))
      const [first] = nodes as [Node, Node]
      await eventually('a primary and a replica', 60_000, async () => {
        const running = (await members(first)).filter(({ state }) => state === 'running' || state === 'streaming')
        return running.length === 2 && running.some(({ role }) => role === 'leader')
      })
      const leader = (await members(first)).find(({ role }) => role === 'leader') as Member
      const primary = nodes.find(({ name }) => name === leader.name) as Node
      const replica = nodes.find(({ name }) => name !== leader.name) as Node
      sql(primary, 'create table t (n int); insert into t values (42)')
      await eventually('the replica has it', 20_000, () => sql(replica, 'select n from t') === '42')
      kill(primary)
      await eventually('the replica takes over', 40_000, () => sql(replica, 'select pg_is_in_recovery(), n from t') === 'f|42')
      expect((await members(replica)).filter(({ role }) => role === 'leader').map(({ name }) => name)).toEqual([replica.name])
    } finally {
      for (const node of nodes) kill(node)
      await cluster.remove()
      rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    }
  }, 240_000)
})
