import type { ReadDb } from '../../contracts/storage.ts'
import type { Amounts, Limits } from '../entitlements/amounts.ts'
import { entitlementViews } from '../entitlements/view.ts'
import { isOver, isUnderWay, openMaintenance, workRows } from '../maintenance/rows.ts'
import { runningUpgrade, upgradeNodes } from '../upgrades/rows.ts'
import type { Asked } from '../soft.ts'
import { blockedOf } from './explain.ts'
import { mergeCells, type FleetCell } from './fleet-cells.ts'
import { isSmall, jobCounts, pendingGroups, type JobCounts } from './group-counts.ts'
import { strandedOf } from './stranded.ts'

/** One dimension of the nodes that are there. */
export interface FleetCapacity {
  dimension: 'cpu' | 'memory'
  total: number
  reserved: number
  /** see `strandedOf` */
  stranded: number
}

export interface PendingGroup {
  group: string
  count: number
  /** null: on their way, or waiting for the next try */
  code: string | null
  why: string
}

/** Something that goes on: an update, a drain, work on nodes, an upgrade of agents, planned stops of one cause. */
export interface Activity {
  kind: 'update' | 'drain' | 'maintenance' | 'upgrade' | 'op'
  target: string
  text: string
  sinceMs: number
}

export interface HotNode {
  node: string
  place: string
  cpuPpm: number
  memoryPpm: number
  tasks: number
}

export interface OwnerSummary {
  name: string
  tasks: number
  guaranteed: Amounts
  used: Amounts
  quota: Limits | null
  /** why what is guaranteed has no room; null: it has */
  lacking: string | null
}

/** The fleet at a glance, bounded in size whatever the fleet. */
export interface FleetSummary {
  nowMs: number
  nodes: { total: number; ready: number; lost: number; closed: number }
  capacity: FleetCapacity[]
  tasks: { wanted: number; placed: number; running: number; healthy: number; pending: number; leftover: number }
  /** what one cell is */
  cellOf: 'node' | 'rack' | 'racks'
  regions: { region: string; cells: FleetCell[] }[]
  /** those in trouble first, then by name */
  jobs: JobCounts[]
  jobsTotal: number
  pending: PendingGroup[]
  doing: Activity[]
  hot: HotNode[]
  /** what owners are guaranteed, those first whose buffer is not covered */
  owners: OwnerSummary[]
}

export interface SummaryBounds {
  cellsMax: number
  jobsMax: number
  /** only jobs with this in their name */
  filter: string
}

const PENDING_MAX = 20
const DOING_MAX = 20
const HOT_MAX = 10
const OWNERS_MAX = 50

/**
 * Counts come from the load kept of each node and from the tasks of each group, never from single tasks; a fleet with more nodes
 * than cells is drawn by rack, one with more racks by several racks a cell.
 */
export function fleetSummary(db: ReadDb, bounds: SummaryBounds, asked: Asked): FleetSummary {
  const { now } = asked
  const racks = cellRows(db, 'rack')
  const nodeCount = racks.reduce((sum, rack) => sum + rack.nodes, 0)
  const { cellOf, regions } = cellsOf(db, racks, nodeCount, bounds.cellsMax)
  const all = jobCounts(db)
  const sum = (key: 'placed' | 'running' | 'healthy' | 'pending' | 'leftover'): number => all.reduce((total, job) => total + job[key], 0)
  const wanted = all.filter((job) => job.job.includes(bounds.filter))
  return {
    nowMs: now,
    nodes: {
      total: nodeCount,
      ready: racks.reduce((total, rack) => total + rack.nodes - rack.lost - rack.closed, 0),
      lost: racks.reduce((total, rack) => total + rack.lost, 0),
      closed: racks.reduce((total, rack) => total + rack.closed, 0),
    },
    capacity: capacityOf(db, racks),
    tasks: {
      // What has run to its end is wanted no more.
      wanted: sum('placed') + sum('pending'),
      placed: sum('placed'),
      running: sum('running'),
      healthy: sum('healthy'),
      pending: sum('pending'),
      leftover: sum('leftover'),
    },
    cellOf,
    regions,
    jobs: wanted.toSorted((a, b) => troubleOf(b) - troubleOf(a)).slice(0, bounds.jobsMax),
    jobsTotal: wanted.length,
    pending: pendingOf(db, asked),
    doing: doingOf(db, all, now),
    hot: hotNodes(db),
    owners: ownersOf(db),
  }
}

/** 2: some of its tasks are nowhere, 1: some do not serve, 0: as wanted. */
function troubleOf(job: JobCounts): number {
  if (job.state === 'stopped') return 0
  return job.pending > 0 ? 2 : job.healthy < job.placed ? 1 : 0
}

interface CellRow extends FleetCell {
  region: string
}

/** What is reserved by a lost node is not there; nor is the node. */
const CELL_SUMS = `count(*) AS nodes, sum(n.state = 'lost') AS lost, sum(n.state <> 'lost' AND n.is_cordoned) AS closed,
  sum(coalesce(u.tasks, 0)) AS tasks, sum((n.state <> 'lost') * n.cpu_milli) AS cpuMilli, sum(coalesce(u.cpu_milli, 0)) AS cpuReserved,
  sum((n.state <> 'lost') * n.memory_bytes) AS memoryBytes, sum(coalesce(u.memory_bytes, 0)) AS memoryReserved`

function cellRows(db: ReadDb, by: 'rack' | 'node'): CellRow[] {
  const name = by === 'rack' ? "n.zone || '/' || n.rack" : 'n.name'
  return db.all<CellRow>(
    `SELECT n.region AS region, ${name} AS name, ${CELL_SUMS} FROM tw_node n LEFT JOIN tw_node_use u ON u.node = n.name
     GROUP BY n.region, n.zone, n.rack${by === 'node' ? ', n.name' : ''} ORDER BY n.region, n.zone, n.rack${by === 'node' ? ', n.name' : ''}`,
  )
}

function cellsOf(db: ReadDb, racks: readonly CellRow[], nodeCount: number, cellsMax: number): Pick<FleetSummary, 'cellOf' | 'regions'> {
  const rows = nodeCount <= cellsMax ? cellRows(db, 'node') : racks
  const each = Math.ceil(rows.length / cellsMax)
  return {
    cellOf: nodeCount <= cellsMax ? 'node' : each <= 1 ? 'rack' : 'racks',
    regions: [...Map.groupBy(rows, (row) => row.region)].map(([region, own]) => ({ region, cells: mergeCells(own, each) })),
  }
}

function capacityOf(db: ReadDb, racks: readonly FleetCell[]): FleetCapacity[] {
  const total = (key: 'cpuMilli' | 'cpuReserved' | 'memoryBytes' | 'memoryReserved'): number =>
    racks.reduce((sum, rack) => sum + rack[key], 0)
  const stranded = [...strandedOf(db).values()]
  const [cpu, memory] = [stranded.reduce((sum, it) => sum + it.cpuMilli, 0), stranded.reduce((sum, it) => sum + it.memoryBytes, 0)]
  return [
    { dimension: 'cpu', total: total('cpuMilli'), reserved: total('cpuReserved'), stranded: cpu },
    { dimension: 'memory', total: total('memoryBytes'), reserved: total('memoryReserved'), stranded: memory },
  ]
}

/** Each with its reason where the fleet is small enough to be planned for it; else the server adds what the controllers found last. */
function pendingOf(db: ReadDb, asked: Asked): PendingGroup[] {
  const short = pendingGroups(db).slice(0, PENDING_MAX)
  const blocked = short.length > 0 && isSmall(db) ? blockedOf(db, null, asked) : []
  return short.flatMap(({ job, group, count }): PendingGroup[] => {
    const own = blocked.filter((it) => it.job === job && it.group === group)
    if (own.length === 0) return [{ group: `${job}/${group}`, count, code: null, why: '' }]
    return own.map((it) => ({ group: `${job}/${group}`, count: it.tasks.length, code: it.code, why: it.why }))
  })
}

function doingOf(db: ReadDb, jobs: readonly JobCounts[], now: number): Activity[] {
  const drains = db
    .all<{ node: string; started_at: number; reason: string; tasks: number | null }>(
      `SELECT d.node AS node, d.started_at AS started_at, d.reason AS reason, u.tasks AS tasks FROM tw_drain d
       LEFT JOIN tw_node_use u ON u.node = d.node WHERE d.finished_at IS NULL ORDER BY d.started_at LIMIT ?`,
      DOING_MAX,
    )
    .map((row): Activity => {
      const reason = row.reason === '' ? '' : ` (${row.reason})`
      return { kind: 'drain', target: row.node, text: `${row.tasks ?? 0} tasks to move${reason}`, sinceMs: row.started_at }
    })
  const changedAt = new Map(
    db.all<{ name: string; changed_at: number }>('SELECT name, changed_at FROM tw_job').map((row) => [row.name, row.changed_at]),
  )
  const updates = jobs
    .filter((job) => job.state === 'running' && job.leftover > 0)
    .map((job): Activity => ({
      kind: 'update',
      target: job.job,
      text: `to v${job.version}: ${job.healthy} of ${job.wanted} healthy, ${job.leftover} old${job.owner === null ? '' : `, by ${job.owner}`}`,
      sinceMs: changedAt.get(job.job) ?? now,
    }))
  return [...updates, ...drains, ...maintenanceOf(db), ...upgradesOf(db), ...opsOf(db)].slice(0, DOING_MAX)
}

/** Planned work: how far it is, or what it waits for before it begins. */
function maintenanceOf(db: ReadDb): Activity[] {
  return openMaintenance(db)
    .slice(0, DOING_MAX)
    .map((row) => {
      const works = workRows(db, row.id)
      const [underWay, over] = [works.filter(isUnderWay).length, works.filter(isOver).length]
      const overdue = works.filter((work) => work.is_overdue === 1).length
      const started = works.flatMap((work) => work.started_at ?? [])
      const parts =
        started.length === 0
          ? [`waits for ${works.find((work) => work.why !== '')?.why ?? 'its turn'}`]
          : [`${underWay} under way`, `${over} of ${works.length} done`, ...(overdue > 0 ? [`${overdue} overdue`] : [])]
      const sinceMs = started.length === 0 ? row.created_at : Math.min(...started)
      return { kind: 'maintenance', target: row.target, text: `#${row.id} ${row.kind}, ${parts.join(', ')}`, sinceMs }
    })
}

/** The wave of agents that goes on. */
function upgradesOf(db: ReadDb): Activity[] {
  const row = runningUpgrade(db)
  if (row === undefined) return []
  const nodes = upgradeNodes(db, row.id, row.wave)
  const done = nodes.filter(({ state }) => state === 'done').length
  const text = `#${row.id}, wave ${row.wave + 1} of ${row.waves}: ${done} of ${nodes.length} back`
  return [{ kind: 'upgrade', target: `agents to ${row.version ?? row.folder ?? 'what is installed'}`, text, sinceMs: row.started_at }]
}

/** Planned stops that have not ended, those of one cause in a group together. */
function opsOf(db: ReadDb): Activity[] {
  return db
    .all<{ job: string; grp: string; kind: string; text: string; n: number; allowed: number; since: number }>(
      `SELECT job, grp, kind, text, count(*) AS n, sum(state = 'allowed') AS allowed, min(proposed_at) AS since FROM tw_op
       WHERE ended_at IS NULL GROUP BY job, grp, kind, text ORDER BY since LIMIT ?`,
      DOING_MAX,
    )
    .map((row) => {
      const waiting = row.n - row.allowed
      const parts = [...(row.allowed > 0 ? [`${row.allowed} going`] : []), ...(waiting > 0 ? [`${waiting} waiting`] : [])]
      return { kind: 'op', target: `${row.job}/${row.grp}`, text: `${row.kind}, ${parts.join(', ')} (${row.text})`, sinceMs: row.since }
    })
}

function ownersOf(db: ReadDb): OwnerSummary[] {
  return entitlementViews(db)
    .map(({ name, tasks, guaranteed, used, quota, lacking }) => ({ name, tasks, guaranteed, used, quota, lacking }))
    .toSorted((a, b) => Number(b.lacking !== null) - Number(a.lacking !== null))
    .slice(0, OWNERS_MAX)
}

/** The fullest nodes by the dimension that is fullest there. */
function hotNodes(db: ReadDb): HotNode[] {
  return db.all<HotNode>(
    `SELECT n.name AS node, n.region || '/' || n.zone || '/' || n.rack AS place, u.tasks AS tasks,
       u.cpu_milli * 1000000 / max(1, n.cpu_milli) AS cpuPpm, u.memory_bytes * 1000000 / max(1, n.memory_bytes) AS memoryPpm
     FROM tw_node n JOIN tw_node_use u ON u.node = n.name WHERE n.state <> 'lost' AND u.tasks > 0
     ORDER BY max(u.cpu_milli * 1000000 / max(1, n.cpu_milli), u.memory_bytes * 1000000 / max(1, n.memory_bytes)) DESC, n.name LIMIT ?`,
    HOT_MAX,
  )
}
