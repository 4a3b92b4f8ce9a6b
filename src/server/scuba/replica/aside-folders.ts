import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { refuse } from '../../../core/kernel/errors.ts'
import { asItCame, type AsideBatch } from '../../../core/scuba/shards/aside.ts'
import { encodeRecord, type JournalRecord } from '../../../core/scuba/wal/record.ts'
import { replaceFileDurably } from '../../../platform/files.ts'
import { Journal } from '../leaf/journal.ts'
import { inflated } from '../leaf/raw-batch.ts'
import type { Store } from '../leaf/store.ts'

export const ASIDE = 'aside'
/** what is in a folder that was set aside; written last */
export const ASIDE_STATE = 'rows.json'
const BACK = 'back.json'
/** Of one answer; a larger batch is one by itself. */
const PAGE_BYTES = 8 * 1024 * 1024

export interface AsideState {
  rows: number
  /** table → up to which batch its rows were sealed */
  throughSeq: Record<string, number>
}

/** What became of a folder's batches: the numbers of those that are among their tables' rows, and whether all that matters is. */
export interface AsideBack {
  seqs: number[]
  isSettled: boolean
}

export interface AsideFolderState extends AsideState, AsideBack {
  name: string
  sinceMs: number
}

/** What this leaf set aside, a folder for each move. */
export function asideFolders(dir: string): AsideFolderState[] {
  const folder = join(dir, ASIDE)
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((name) => {
    const file = join(folder, name, ASIDE_STATE)
    if (name.endsWith('.new') || !existsSync(file)) return []
    const { rows, throughSeq } = JSON.parse(readFileSync(file, 'utf8')) as AsideState
    return [{ name, sinceMs: statSync(file).mtimeMs, rows, throughSeq, ...backOf(dir, name) }]
  })
}

/** Batches after a number, oldest first. */
export function asideBatches(store: Store, name: string, after: number): AsideBatch[] {
  return recordsOf(store, name, after).map(({ header: { seq, table, rows, minUs, maxUs, at, key } }) => ({
    ...{ seq, table, rows, minUs, maxUs, atMs: at, key: key?.key ?? null },
  }))
}

/** The next batches after a number as journal records: their payload is what their sender may have sent. Empty: there is none */
export async function asideRecords(store: Store, name: string, after: number): Promise<Buffer> {
  const page: Uint8Array[] = []
  let bytes = 0
  for (const record of recordsOf(store, name, after)) {
    const { raw: _, columns: __, ...header } = record.header
    const payload = await cameAs(store, name, record)
    if (page.length > 0 && bytes + payload.length > PAGE_BYTES) break
    page.push(encodeRecord(header, payload, crc32))
    bytes += payload.length
  }
  return Buffer.concat(page)
}

/** These are among the tables' rows now; it is durable. */
export function noteBack(dir: string, name: string, { seqs, isSettled }: AsideBack): AsideBack {
  const before = backOf(dir, checked(dir, name))
  const back = { seqs: [...new Set([...before.seqs, ...seqs])], isSettled: isSettled || before.isSettled }
  replaceFileDurably(join(dir, ASIDE, name, BACK), JSON.stringify(back))
  return back
}

export function dropAside(dir: string, name: string): void {
  rmSync(join(dir, ASIDE, checked(dir, name)), { recursive: true, force: true })
}

function backOf(dir: string, name: string): AsideBack {
  const file = join(dir, ASIDE, name, BACK)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as AsideBack) : { seqs: [], isSettled: false }
}

/** Batches of the tables that were set aside; of the others the journal is this leaf's own. */
function recordsOf(store: Store, name: string, after: number): JournalRecord[] {
  const { throughSeq } = JSON.parse(readFileSync(join(store.dir, ASIDE, checked(store.dir, name), ASIDE_STATE), 'utf8')) as AsideState
  const records: JournalRecord[] = []
  new Journal(join(store.dir, ASIDE, name, 'journal'), store.log).replay((record) => {
    const { seq, table, rows } = record.header
    if (seq > after && rows > 0 && seq > (throughSeq[table] ?? Infinity)) records.push(record)
  })
  return records
}

async function cameAs(store: Store, name: string, { header: { table, raw }, payload }: JournalRecord): Promise<Buffer> {
  if (raw === undefined) {
    const timeField = store.registry.current.tables[table]?.timeField ?? null
    const lines = Buffer.from(payload).toString('utf8').split('\n')
    return Buffer.from(lines.flatMap((line) => (line === '' ? [] : [asItCame(line, timeField)])).join('\n'))
  }
  const bytes = Buffer.alloc(raw.bytes)
  const file = await open(join(store.dir, ASIDE, name, 'raw', raw.file), 'r')
  await file.read(bytes, 0, raw.bytes, raw.offset).finally(() => file.close())
  if (crc32(bytes) !== raw.crc) throw refuse('SCUBA_DOWN', `a batch of ${table} that was set aside is not what was written`)
  return inflated({ encoding: raw.form.encoding, bytes })
}

function checked(dir: string, name: string): string {
  if (name.includes('/') || name.startsWith('.') || !existsSync(join(dir, ASIDE, name, ASIDE_STATE)))
    throw refuse('NOT_FOUND', `nothing was set aside as ${JSON.stringify(name)}`)
  return name
}
