import type { Db, ReadDb } from '../../contracts/storage.ts'
import { nextOf } from '../entries/marks.ts'
import { fromJson } from '../rows.ts'

/** What a node's live tasks reserve, and which tasks its agent has to know of. Read, changed in memory, written once. */
export interface NodeLoad {
  id: number
  name: string
  cpu_milli: number
  memory_bytes: number
  disk_bytes: number
  /** thousandths in use of each device, as JSON */
  gpus: string
  tasks: number
  /** log position of the last change */
  position: number
  /** {@link idsIn} */
  ids: Uint8Array
}

/** What one task holds of a node. */
export interface Reserved {
  cpuMilli: number
  memoryBytes: number
  diskBytes: number
  /** bit i: device i of the node */
  gpuMask: number
  /** thousandths of each of these devices */
  gpuMilli: number
}

const ID_BYTES = 8

/** A node without tasks, from the time it first joins; its id is never another's. */
export function openLoad(db: Db, node: string): void {
  if (db.get('SELECT id FROM tw_node_load WHERE name = ?', node) !== undefined) return
  db.run(
    "INSERT INTO tw_node_load (id, name, cpu_milli, memory_bytes, disk_bytes, gpus, tasks, position, ids) VALUES (?, ?, 0, 0, 0, '[]', 0, 0, x'')",
    nextOf(db, 'node'),
    node,
  )
}

export function loadByName(db: ReadDb, node: string): NodeLoad | undefined {
  return db.get<NodeLoad>('SELECT * FROM tw_node_load WHERE name = ?', node)
}

/** What is counted of a node, without its tasks. */
export type LoadSums = Pick<NodeLoad, 'name' | 'cpu_milli' | 'memory_bytes' | 'disk_bytes' | 'gpus' | 'tasks'>

const SUMS = 'SELECT name, cpu_milli, memory_bytes, disk_bytes, gpus, tasks FROM tw_node_load'

export function loadSumsOf(db: ReadDb, ids: readonly number[]): LoadSums[] {
  return db.all<LoadSums>(`${SUMS} WHERE id IN (SELECT value FROM json_each(?))`, JSON.stringify(ids))
}

export function loadSumsOfNamed(db: ReadDb, nodes: readonly string[]): LoadSums[] {
  return db.all<LoadSums>(`${SUMS} WHERE name IN (SELECT value FROM json_each(?))`, JSON.stringify(nodes))
}

/** Ids of nodes by name. */
export function loadIds(db: ReadDb, nodes: readonly string[]): Map<string, number> {
  const rows = db.all<{ name: string; id: number }>(
    'SELECT name, id FROM tw_node_load WHERE name IN (SELECT value FROM json_each(?))',
    JSON.stringify(nodes),
  )
  return new Map(rows.map((row) => [row.name, row.id]))
}

/** @param change what is other than in `load` */
export function writeLoad(db: Db, load: NodeLoad, change: Partial<Pick<NodeLoad, 'position' | 'ids'>> = {}): void {
  db.run(
    'UPDATE tw_node_load SET cpu_milli = ?, memory_bytes = ?, disk_bytes = ?, gpus = ?, tasks = ?, position = ?, ids = ? WHERE id = ?',
    load.cpu_milli,
    load.memory_bytes,
    load.disk_bytes,
    load.gpus,
    load.tasks,
    change.position ?? load.position,
    change.ids ?? load.ids,
    load.id,
  )
}

/** Adds what a task holds, or takes it away. */
export function countIn(load: NodeLoad, reserved: Reserved, sign: 1 | -1): void {
  load.cpu_milli += sign * reserved.cpuMilli
  load.memory_bytes += sign * reserved.memoryBytes
  load.disk_bytes += sign * reserved.diskBytes
  load.tasks += sign
  if (reserved.gpuMask !== 0) load.gpus = JSON.stringify(withDevices(devicesIn(load), reserved, sign))
}

/** Thousandths in use of each device; devices beyond its end are free. */
export function devicesIn(load: Pick<NodeLoad, 'gpus'>): number[] {
  return load.gpus === '[]' ? [] : fromJson<number[]>(load.gpus)
}

function withDevices(used: number[], { gpuMask, gpuMilli }: Reserved, sign: 1 | -1): number[] {
  for (let device = 0; gpuMask >> device > 0; device += 1) {
    const isTaken = (gpuMask >> device) & 1
    used[device] = (used[device] ?? 0) + (isTaken ? sign * gpuMilli : 0)
  }
  return used
}

/** Ids in the order they came. */
export function idsIn(ids: Uint8Array): number[] {
  const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength)
  return Array.from({ length: ids.byteLength / ID_BYTES }, (_, i) => view.getFloat64(i * ID_BYTES))
}

export function withIds(ids: Uint8Array, added: readonly number[]): Uint8Array {
  const all = new Uint8Array(ids.byteLength + added.length * ID_BYTES)
  all.set(ids)
  const view = new DataView(all.buffer)
  added.forEach((id, i) => view.setFloat64(ids.byteLength + i * ID_BYTES, id))
  return all
}

export function withoutId(ids: Uint8Array, gone: number): Uint8Array {
  return withIds(
    new Uint8Array(0),
    idsIn(ids).filter((id) => id !== gone),
  )
}
