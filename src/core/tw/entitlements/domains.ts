import type { Db, ReadDb } from '../../contracts/storage.ts'
import { fromJson, type NodeRow } from '../rows.ts'
import { larger, NOTHING, type Amounts } from './amounts.ts'
import type { Buffer } from './tables.ts'

/** What each domain has, of nodes that are not lost; kept as they come and go. The fleet is the domain '' of the level `fleet`. */
export const DOMAIN_TABLES: readonly string[] = [
  `CREATE TABLE tw_domain (
    level TEXT NOT NULL, name TEXT NOT NULL, nodes INTEGER NOT NULL, cpu_milli INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,
    PRIMARY KEY (level, name)
  ) WITHOUT ROWID`,
  `CREATE INDEX tw_domain_by_cpu ON tw_domain (level, cpu_milli)`,
  `CREATE INDEX tw_domain_by_memory ON tw_domain (level, memory_bytes)`,
  `CREATE TABLE tw_domain_gpu (
    level TEXT NOT NULL, name TEXT NOT NULL, model TEXT NOT NULL, milli INTEGER NOT NULL, PRIMARY KEY (level, name, model)
  ) WITHOUT ROWID`,
  `CREATE INDEX tw_domain_gpu_by_milli ON tw_domain_gpu (level, model, milli)`,
]

/** A node came, went or changed; undefined or lost: it is not there. */
export function moveDomains(db: Db, before: NodeRow | undefined, after: NodeRow | undefined): void {
  if (before && before.state !== 'lost') count(db, [before], -1)
  if (after && after.state !== 'lost') count(db, [after], 1)
}

/** Nodes that were there are lost, all at once. */
export function leaveDomains(db: Db, nodes: readonly NodeRow[]): void {
  count(db, nodes, -1)
}

interface Share {
  level: string
  name: string
  nodes: number
  cpuMilli: number
  memoryBytes: number
  gpus: Map<string, number>
}

function count(db: Db, nodes: readonly NodeRow[], times: 1 | -1): void {
  for (const { level, name, nodes: n, cpuMilli, memoryBytes, gpus } of sharesOf(nodes)) {
    db.run(
      `INSERT INTO tw_domain (level, name, nodes, cpu_milli, memory_bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT (level, name) DO UPDATE SET
         nodes = nodes + excluded.nodes, cpu_milli = cpu_milli + excluded.cpu_milli, memory_bytes = memory_bytes + excluded.memory_bytes`,
      level,
      name,
      times * n,
      times * cpuMilli,
      times * memoryBytes,
    )
    if (times < 0) db.run('DELETE FROM tw_domain WHERE level = ? AND name = ? AND nodes = 0', level, name)
    for (const [model, milli] of gpus) {
      db.run(
        `INSERT INTO tw_domain_gpu (level, name, model, milli) VALUES (?, ?, ?, ?)
           ON CONFLICT (level, name, model) DO UPDATE SET milli = milli + excluded.milli`,
        level,
        name,
        model,
        times * milli,
      )
      if (times < 0) db.run('DELETE FROM tw_domain_gpu WHERE level = ? AND name = ? AND model = ? AND milli = 0', level, name, model)
    }
  }
}

/** What the nodes are together of each domain one of them is in. */
function sharesOf(nodes: readonly NodeRow[]): Iterable<Share> {
  const shares = new Map<string, Share>()
  for (const node of nodes) {
    const gpus = fromJson<{ model: string; count: number }[]>(node.gpus)
    const domains: [level: string, name: string][] = [
      ['fleet', ''],
      ['zone', `${node.region}/${node.zone}`],
      ['rack', `${node.region}/${node.zone}/${node.rack}`],
      ['node', node.name],
    ]
    for (const [level, name] of domains) {
      const share = shares.get(`${level} ${name}`) ?? {
        level,
        name,
        nodes: 0,
        cpuMilli: 0,
        memoryBytes: 0,
        gpus: new Map<string, number>(),
      }
      shares.set(`${level} ${name}`, share)
      share.nodes += 1
      share.cpuMilli += node.cpu_milli
      share.memoryBytes += node.memory_bytes
      for (const { model, count: n } of gpus) share.gpus.set(model, (share.gpus.get(model) ?? 0) + n * 1000)
    }
  }
  return shares.values()
}

/** Nodes that are not lost. */
export function nodesInService(db: ReadDb): number {
  return db.get<{ nodes: number }>("SELECT nodes FROM tw_domain WHERE level = 'fleet'")?.nodes ?? 0
}

export function fleetAmounts(db: ReadDb): Amounts {
  return largestOf(db, 'fleet')
}

/** What is lost with the largest domain of a level, each dimension for itself. */
export function bufferAmounts(db: ReadDb, buffers: readonly Buffer[]): Amounts {
  return buffers.reduce((most, buffer) => (buffer === 'none' ? most : larger(most, largestOf(db, buffer))), NOTHING)
}

function largestOf(db: ReadDb, level: string): Amounts {
  const cpu = db.get<{ n: number | null }>('SELECT max(cpu_milli) AS n FROM tw_domain WHERE level = ?', level)?.n ?? 0
  const memory = db.get<{ n: number | null }>('SELECT max(memory_bytes) AS n FROM tw_domain WHERE level = ?', level)?.n ?? 0
  const gpus = db.all<{ model: string; n: number }>(
    'SELECT model, max(milli) AS n FROM tw_domain_gpu WHERE level = ? GROUP BY model ORDER BY model',
    level,
  )
  return { cpuMilli: cpu, memoryBytes: memory, gpus: Object.fromEntries(gpus.map(({ model, n }) => [model, n])) }
}
