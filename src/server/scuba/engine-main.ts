import { mkdirSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import type { EngineFailure, EngineReply, EngineRequest } from '../../core/scuba/engine-protocol.ts'
import { Travelled } from '../../core/scuba/travel.ts'
import type { PlainValue } from '../../core/scuba/wire-types.ts'
import { EngineCopies } from './engine-copies.ts'
import { EngineCursors } from './engine-cursors.ts'
import { writeNative } from './engine-native.ts'
import { stream } from './engine-stream.ts'
import { THREADS } from './engine-threads.ts'
import { plainValue } from './plain-value.ts'

/**
 * The engine of a leaf: the only process that loads DuckDB. Started by the leaf with the store's folder; speaks
 * EngineRequest/EngineReply over the channel to its parent and ends with it.
 */

const dir = process.argv[2]
if (dir === undefined || !process.send) {
  process.stderr.write('engine-main is started by the leaf\n')
  process.exit(2)
}
// To exit would wait for what its threads are at: without end, for a question that has none.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// A terminal's Ctrl-C goes to the whole group; the leaf says when it is over.
process.on('SIGINT', () => undefined)

const instance = await DuckDBInstance.create(':memory:')
interface Running {
  /** null: it is still being opened */
  connection: DuckDBConnection | null
  stop: EngineFailure | null
}
const running = new Map<number, Running>()
/** A statement that was told to stop is told so again: what is told between two steps of a question is forgotten by the engine. */
const STOP_AGAIN_MS = 10
const cursors = new EngineCursors(instance)
const copies = new EngineCopies(instance)

await settings()
process.on('message', (request: EngineRequest) => void answer(request))
process.send({ ready: true })

/** No file but the store's own, no extension, no change of these settings: seen to hold for COPY, ATTACH, INSTALL and SET. */
async function settings(): Promise<void> {
  const connection = await instance.connect()
  const quoted = (path: string): string => `'${path.replaceAll("'", "''")}'`
  // Two engines must not write to each other's files.
  const temporary = join(String(dir), 'tmp', process.argv[4] ?? 'engine')
  mkdirSync(temporary, { recursive: true, mode: 0o700 })
  const engines = Math.max(1, Number(process.argv[3] ?? 1))
  const memory = Math.max(256, Math.min(2048, Math.floor((totalmem() * 0.25) / 1024 / 1024 / engines)))
  for (const sql of [
    `SET threads = ${THREADS}`,
    `SET memory_limit = '${memory}MiB'`,
    `SET temp_directory = ${quoted(temporary)}`,
    "SET max_temp_directory_size = '10GB'",
    'SET preserve_insertion_order = false',
    'SET parquet_metadata_cache = true',
    // An array of groups for keys of up to 16 bit, whatever of them occurs.
    'SET perfect_ht_threshold = 17',
    // See ALLOCATOR in `leaf/engine.ts`; what is idle is given back by a thread of the allocator's own.
    `SET allocator_flush_threshold = '${memory}MiB'`,
    `SET allocator_bulk_deallocation_flush_threshold = '${memory}MiB'`,
    'SET allocator_background_threads = true',
    "SET TimeZone = 'UTC'",
    'SET autoinstall_known_extensions = false',
    'SET autoload_known_extensions = false',
    `SET allowed_directories = [${quoted(String(dir))}]`,
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ]) {
    await connection.run(sql)
  }
  connection.disconnectSync()
}

async function answer(request: EngineRequest): Promise<void> {
  if (request.op === 'interrupt') return stop(request.target, 'interrupted')
  if (request.op === 'close') return cursors.close(request.cursor)
  if (request.op === 'forget-copies') return copies.forget(request.names)
  const state: Running = { connection: null, stop: null }
  running.set(request.id, state)
  // A cursor keeps its connection until it is closed.
  const kept = request.op === 'fetch' ? cursors.connectionOf(request.cursor) : undefined
  const connection = kept ?? (await instance.connect())
  state.connection = connection
  const timer = 'deadlineMs' in request ? setTimeout(() => stop(request.id, 'deadline'), request.deadlineMs) : null
  let reply: EngineReply
  try {
    if (state.stop !== null) throw new Error('INTERRUPT Error: stopped before it began')
    reply = await carryOut(request, connection)
  } catch (error) {
    const message = (error as Error).message
    reply = { id: request.id, ok: false, failure: state.stop ?? failureOf(message), message }
  }
  if (timer) clearTimeout(timer)
  running.delete(request.id)
  if (kept === undefined && !(request.op === 'open' && reply.ok)) connection.disconnectSync()
  process.send?.(reply)
}

async function carryOut(
  request: Exclude<EngineRequest, { op: 'interrupt' | 'close' | 'forget-copies' }>,
  connection: DuckDBConnection,
): Promise<EngineReply> {
  const { id } = request
  if (request.op === 'parse') {
    const reader = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [request.sql])
    return { id, ok: true, columns: [], rows: [[String(reader.value(0, 0))]] }
  }
  if (request.op === 'copy') {
    const copied = await connection.runAndReadAll(request.sql)
    if (request.path === null) return { id, ok: true, columns: [], rows: [[Number(copied.value(0, 0))]] }
    const file = `read_parquet('${request.path.replaceAll("'", "''")}')`
    const reader = await connection.runAndReadAll(`SELECT count(*), epoch_us(min("time")), epoch_us(max("time")) FROM ${file}`)
    return { id, ok: true, columns: [], rows: [[0, 1, 2].map((column) => Number(reader.value(column, 0)))] }
  }
  if (request.op === 'native') return { id, ok: true, columns: [], rows: [[await writeNative(connection, request)]] }
  if (request.op === 'make-copy') {
    const { rows, manyValued } = await copies.make(connection, request.sql, request.path)
    return { id, ok: true, columns: [], rows: [[rows], manyValued] }
  }
  if (request.op === 'open') return cursors.open(request, connection, () => isStopped(id))
  if (request.op === 'fetch') return cursors.fetch(request, () => isStopped(id))
  if (request.op === 'describe') return { id, ok: true, rows: [], ...(await cursors.describe(request, connection)) }
  const release = await copies.use(request.copies ?? [])
  try {
    await cursors.prepare(request, connection)
    return await rowsOf(request, connection)
  } finally {
    release()
  }
}

async function rowsOf(
  { id, sql, rowsMax, params, isCollected }: Extract<EngineRequest, { op: 'run' }>,
  connection: DuckDBConnection,
): Promise<EngineReply> {
  const { result, check } =
    isCollected === true ? { result: await connection.run(sql, params), check: null } : await stream(connection, sql, params)
  const columns = result.deduplicatedColumnNames().map((name, index) => ({ name, type: String(result.columnType(index)) }))
  const travelled = new Travelled()
  const rows: PlainValue[][] = []
  for await (const read of result.yieldRowsJs()) {
    for (const row of read) {
      const plain = row.map(plainValue)
      travelled.add(plain)
      rows.push(plain)
    }
    const message = travelled.tooMuch(rowsMax)
    if (message !== null) return { id, ok: false, failure: 'too-large', message }
  }
  await check?.(() => isStopped(id))
  return { id, ok: true, columns, rows }
}

function stop(id: number, why: EngineFailure): void {
  const state = running.get(id)
  if (!state || state.stop !== null) return
  state.stop = why
  const again = (): void => {
    if (running.get(id) !== state) return
    state.connection?.interrupt()
    setTimeout(again, STOP_AGAIN_MS)
  }
  again()
}

const isStopped = (id: number): boolean => (running.get(id)?.stop ?? null) !== null

function failureOf(message: string): EngineFailure {
  if (/^(Parser|Binder|Catalog|Conversion|Invalid Input|Not implemented|Out of Range|Mismatch Type|Syntax|Permission) Error/i.test(message))
    return 'sql'
  if (/^Out of Memory Error/i.test(message)) return 'memory'
  if (/^INTERRUPT Error/i.test(message)) return 'interrupted'
  return 'other'
}
