import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import { verifyStore, type StoreSnapshot } from './store-file.ts'

export interface SnapshotFileRow {
  file: string
  bytes: number
  /** null: it is not whole */
  snapshot: StoreSnapshot | null
  /** what is wrong with it; null: nothing */
  problem: string | null
}

/** bbolt's magic, little-endian, behind the first page's header of 16 bytes: what a snapshot of a store begins with, whole or not. */
const MAGIC = 0xed0cdaed
const MAGIC_AT = 16

/** Snapshots of stores in a folder, oldest position first, each read and checked; of a file, that one. Rejects with FILE_UNREADABLE. */
export async function listSnapshots(path: string): Promise<SnapshotFileRow[]> {
  const unreadable = (cause: unknown): never => {
    throw new MusterError('FILE_UNREADABLE', `${path} cannot be read`, { cause })
  }
  const found = await stat(path).catch(unreadable)
  const names = found.isDirectory() ? (await readdir(path).catch(unreadable)).toSorted().map((name) => join(path, name)) : [path]
  const rows: SnapshotFileRow[] = []
  for (const file of names) {
    const { size, isFile } = await stat(file).then(
      (each) => ({ size: each.size, isFile: each.isFile() }),
      () => ({ size: 0, isFile: false }),
    )
    if (isFile && (file === path || (await isOfStore(file)))) rows.push(await rowOf(file, size))
  }
  return rows.toSorted((a, b) => (a.snapshot?.position ?? 0) - (b.snapshot?.position ?? 0))
}

async function isOfStore(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => null)
  if (handle === null) return false
  try {
    const head = Buffer.alloc(MAGIC_AT + 4)
    const { bytesRead } = await handle.read(head, 0, head.length, 0)
    return bytesRead === head.length && head.readUInt32LE(MAGIC_AT) === MAGIC
  } finally {
    await handle.close()
  }
}

async function rowOf(file: string, bytes: number): Promise<SnapshotFileRow> {
  try {
    return { file, bytes, snapshot: await verifyStore(file), problem: null }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return { file, bytes, snapshot: null, problem: error.message }
  }
}
