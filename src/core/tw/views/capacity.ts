import type { ReadDb } from '../../contracts/storage.ts'
import { fromJson, type NodeRow } from '../rows.ts'
import { attributesOf } from '../scheduler/fleet.ts'
import { poolOf } from '../scheduler/suitable.ts'
import { strandedOf, typicalTask, type Shape } from './stranded.ts'

export const CAPACITY_KEYS = ['region', 'zone', 'rack', 'model', 'pool'] as const
export type CapacityKey = (typeof CAPACITY_KEYS)[number]

/** An amount of each dimension: thousandths of a core, bytes, thousandths of a GPU. */
export interface Amounts {
  cpuMilli: number
  memoryBytes: number
  diskBytes: number
  gpuMilli: number
}

/** Capacity of the nodes that share a value. */
export interface Capacity {
  /** the rack, zone, region, pool or model; `fleet` without one */
  of: string
  nodes: number
  /** of nodes that are not lost */
  total: Amounts
  /** of nodes that take tasks now */
  allocatable: Amounts
  /** by tasks that are placed */
  reserved: Amounts
  /** see `strandedOf` */
  stranded: Shape
  /** the node that could take the largest task of the fleet's typical shape, and what is free there; null: all are full or closed */
  largest: { node: string; cpuMilli: number; memoryBytes: number; diskBytes: number; gpus: number } | null
}

type Row = NodeRow & { cpu_used: number; memory_used: number; disk_used: number; gpus_used: string }

/** Capacity of the fleet, or of its parts by `by`. Reads each node once; nothing of single tasks. */
export function capacityOf(db: ReadDb, by: CapacityKey | null): Capacity[] {
  const rows = db.all<Row>(
    `SELECT n.*, coalesce(u.cpu_milli, 0) AS cpu_used, coalesce(u.memory_bytes, 0) AS memory_used, coalesce(u.disk_bytes, 0) AS disk_used,
       coalesce(u.gpus, '[]') AS gpus_used
     FROM tw_node n LEFT JOIN tw_node_use u ON u.node = n.name WHERE n.state <> 'lost' ORDER BY n.name`,
  )
  // Without tasks every shape is as good as the mean node's.
  const typical = typicalTask(db) ?? meanNode(rows)
  const stranded = strandedOf(db)
  const parts = new Map<string, Capacity>()
  const best = new Map<string, number>()
  for (const row of rows) {
    const of = keyOf(row, by)
    const part = parts.get(of) ?? emptyCapacity(of)
    parts.set(of, part)
    const { total, used, wholeFree } = amountsOf(row)
    part.nodes += 1
    add(part.total, total)
    add(part.reserved, used)
    if (row.is_cordoned === 1) continue
    add(part.allocatable, total)
    const cpuFree = total.cpuMilli - used.cpuMilli
    const memoryFree = total.memoryBytes - used.memoryBytes
    part.stranded.cpuMilli += stranded.get(row.name)?.cpuMilli ?? 0
    part.stranded.memoryBytes += stranded.get(row.name)?.memoryBytes ?? 0
    const room = Math.min(cpuFree / Math.max(1, typical.cpuMilli), memoryFree / Math.max(1, typical.memoryBytes))
    if (room <= 0 || room <= (best.get(of) ?? 0)) continue
    best.set(of, room)
    const diskBytes = total.diskBytes - used.diskBytes
    part.largest = { node: row.name, cpuMilli: cpuFree, memoryBytes: memoryFree, diskBytes, gpus: wholeFree }
  }
  return [...parts.values()].sort((a, b) => (a.of < b.of ? -1 : 1))
}

function keyOf(row: NodeRow, by: CapacityKey | null): string {
  if (by === null) return 'fleet'
  if (by === 'pool') return poolOf(attributesOf(row))
  if (by === 'model') return [...new Set(modelsOf(row).map(({ model }) => model))].sort().join('+') || 'no GPU'
  return row[by]
}

const modelsOf = (row: NodeRow): { model: string; count: number }[] => (row.gpus === '[]' ? [] : fromJson(row.gpus))

function amountsOf(row: Row): { total: Amounts; used: Amounts; wholeFree: number } {
  const devices = modelsOf(row).reduce((sum, { count }) => sum + count, 0)
  const taken = row.gpus_used === '[]' ? [] : fromJson<(number | null)[]>(row.gpus_used)
  const gpuUsed = taken.reduce<number>((sum, milli) => sum + (milli ?? 0), 0)
  return {
    total: { cpuMilli: row.cpu_milli, memoryBytes: row.memory_bytes, diskBytes: row.disk_bytes, gpuMilli: devices * 1000 },
    used: { cpuMilli: row.cpu_used, memoryBytes: row.memory_used, diskBytes: row.disk_used, gpuMilli: gpuUsed },
    wholeFree: devices - taken.filter((milli) => (milli ?? 0) > 0).length,
  }
}

function meanNode(rows: readonly Row[]): Shape {
  const mean = (of: (row: Row) => number): number => Math.floor(rows.reduce((total, row) => total + of(row), 0) / Math.max(1, rows.length))
  return { cpuMilli: mean((row) => row.cpu_milli), memoryBytes: mean((row) => row.memory_bytes) }
}

const nothing = (): Amounts => ({ cpuMilli: 0, memoryBytes: 0, diskBytes: 0, gpuMilli: 0 })

function emptyCapacity(of: string): Capacity {
  const stranded = { cpuMilli: 0, memoryBytes: 0 }
  return { of, nodes: 0, total: nothing(), allocatable: nothing(), reserved: nothing(), stranded, largest: null }
}

function add(to: Amounts, more: Amounts): void {
  to.cpuMilli += more.cpuMilli
  to.memoryBytes += more.memoryBytes
  to.diskBytes += more.diskBytes
  to.gpuMilli += more.gpuMilli
}
