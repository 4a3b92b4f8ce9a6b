import type { Db, ReadDb } from '../../contracts/storage.ts'
import { nextOf } from '../entries/marks.ts'
import { fromJson, type TaskRow } from '../rows.ts'

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
  runs: Uint8Array
}

/** What is counted of a node, as a slice of placements reads and changes it. */
export type Loaded = Pick<NodeLoad, 'id' | 'cpu_milli' | 'memory_bytes' | 'disk_bytes' | 'gpus' | 'tasks'>

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

export function reservedBy(task: TaskRow): Reserved {
  return {
    cpuMilli: task.cpu_milli,
    memoryBytes: task.memory_bytes,
    diskBytes: task.disk_bytes,
    gpuMask: task.gpu_mask,
    gpuMilli: task.gpu_milli,
  }
}

/** Ids that follow each other are one f64: the first × 256 + how many more. Tasks of a slice on one node mostly do. */
const RUN_BYTES = 8
const RUN_MAX = 256

/** A node without tasks, from the time it first joins; its id is never another's. */
export function openLoad(db: Db, node: string): void {
  if (db.get('SELECT id FROM tw_node_load WHERE name = ?', node) !== undefined) return
  db.run(
    "INSERT INTO tw_node_load (id, name, cpu_milli, memory_bytes, disk_bytes, gpus, tasks, position, runs) VALUES (?, ?, 0, 0, 0, '[]', 0, 0, x'')",
    nextOf(db, 'node'),
    node,
  )
}

export function loadByName(db: ReadDb, node: string): NodeLoad | undefined {
  return db.get<NodeLoad>('SELECT * FROM tw_node_load WHERE name = ?', node)
}

/** What is counted of a node, without its tasks. */
export type LoadSums = Pick<NodeLoad, 'id' | 'name' | 'cpu_milli' | 'memory_bytes' | 'disk_bytes' | 'gpus' | 'tasks'>

const SUMS = 'SELECT id, name, cpu_milli, memory_bytes, disk_bytes, gpus, tasks FROM tw_node_load'

export function allLoadSums(db: ReadDb): LoadSums[] {
  return db.all<LoadSums>(SUMS)
}

export function loadSumsOfNamed(db: ReadDb, nodes: readonly string[]): LoadSums[] {
  return db.all<LoadSums>(`${SUMS} WHERE name IN (SELECT value FROM json_each(?))`, JSON.stringify(nodes))
}

/** Names of nodes by id; a name stays with its id. */
export function loadNames(db: ReadDb, ids: readonly number[]): Map<number, string> {
  const rows = db.all<{ id: number; name: string }>(
    'SELECT id, name FROM tw_node_load WHERE id IN (SELECT value FROM json_each(?))',
    JSON.stringify(ids),
  )
  return new Map(rows.map((row) => [row.id, row.name]))
}

/** @param change what is other than in `load` */
export function writeLoad(db: Db, load: NodeLoad, change: Partial<Pick<NodeLoad, 'position' | 'runs'>> = {}): void {
  db.run(
    'UPDATE tw_node_load SET cpu_milli = ?, memory_bytes = ?, disk_bytes = ?, gpus = ?, tasks = ?, position = ?, runs = ? WHERE id = ?',
    load.cpu_milli,
    load.memory_bytes,
    load.disk_bytes,
    load.gpus,
    load.tasks,
    change.position ?? load.position,
    change.runs ?? load.runs,
    load.id,
  )
}

/** The same when tasks came: they go to the end of those that are there, which nobody reads for it. */
export function addToLoad(db: Db, load: Loaded, added: readonly number[], position: number): void {
  db.run(
    `UPDATE tw_node_load SET cpu_milli = ?, memory_bytes = ?, disk_bytes = ?, gpus = ?, tasks = ?, position = ?, runs = CAST(runs || ? AS BLOB)
       WHERE id = ?`,
    load.cpu_milli,
    load.memory_bytes,
    load.disk_bytes,
    load.gpus,
    load.tasks,
    position,
    bytesOf(added),
    load.id,
  )
}

/** Adds what a task holds, or takes it away. */
export function countIn(load: Loaded, reserved: Reserved, sign: 1 | -1): void {
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
export function idsIn(runs: Uint8Array): number[] {
  const view = new DataView(runs.buffer, runs.byteOffset, runs.byteLength)
  const ids: number[] = []
  for (let at = 0; at < runs.byteLength; at += RUN_BYTES) {
    const run = view.getFloat64(at)
    const first = Math.floor(run / RUN_MAX)
    for (let id = first; id <= first + (run % RUN_MAX); id += 1) ids.push(id)
  }
  return ids
}

function bytesOf(ids: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * RUN_BYTES)
  const view = new DataView(bytes.buffer)
  let length = 0
  let [first, count] = [ids[0] ?? 0, 0]
  for (const id of ids) {
    if (count === RUN_MAX || id !== first + count) {
      view.setFloat64(length, first * RUN_MAX + count - 1)
      length += RUN_BYTES
      ;[first, count] = [id, 0]
    }
    count += 1
  }
  if (count > 0) view.setFloat64(length, first * RUN_MAX + count - 1)
  return bytes.subarray(0, count === 0 ? 0 : length + RUN_BYTES)
}

export function withoutId(runs: Uint8Array, gone: number): Uint8Array {
  return bytesOf(idsIn(runs).filter((id) => id !== gone))
}
