import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { access, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { EtcdFile } from '../../../core/delos/bbolt/etcd-file.ts'
import type { KvRows } from '../../../core/delos/kv/rows.ts'
import type { SnapshotResponse } from '../../../core/delos/wire/messages.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { isDiskFull, syncDirectory } from '../../../platform/files.ts'
import { readEtcdSnapshot } from '../store/etcd-snapshot.ts'

/**
 * A snapshot of a store as a file: in etcd's format (`core/delos/bbolt/`), and behind it the 32 bytes of its SHA-256, as etcdctl saves it.
 * One that was saved from an etcd is as good.
 */
const DIGEST_BYTES = 32
/** A page of any kind is a multiple of it. */
const PAGE_BYTES_MIN = 512

export interface StoreSnapshot {
  file: string
  bytes: number
  /** of all before the digest */
  sha256: string
  /** of the last batch of the log that it holds */
  position: number
  revision: number
  keys: number
  /** id of the cluster it was made in, hex; null: not said */
  cluster: string | null
  savedAt: number | null
}

const invalid = (file: string, why: string, cause?: unknown): MusterError =>
  new MusterError('DELOS_SNAPSHOT_INVALID', `${file} ${why}`, { cause })

/** Saves what a server sends, checked; a file of that name is always whole. Rejects with USAGE, DISK_FULL, UNAVAILABLE or DELOS_SNAPSHOT_INVALID. */
export async function saveStore(parts: AsyncIterable<SnapshotResponse>, file: string): Promise<StoreSnapshot> {
  if (await stat(file).catch(() => null))
    throw new MusterError('USAGE', `${file} exists already`, { hint: 'Name another file, or remove this one.' })
  await access(dirname(file), constants.W_OK).catch((cause: unknown) => {
    throw new MusterError('USAGE', `${dirname(file)} cannot be written to`, { cause })
  })
  const partial = `${file}.partial-${process.pid}`
  try {
    const handle = await open(partial, 'wx', 0o600)
    try {
      for await (const { blob, remaining_bytes: remaining } of parts) {
        await handle.write(blob)
        if (remaining === 0 && blob.length === DIGEST_BYTES) break
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    const found = await verifyStore(partial)
    await rename(partial, file)
    await syncDirectory(dirname(file))
    return { ...found, file }
  } catch (error) {
    if (isDiskFull(error)) throw new MusterError('DISK_FULL', `No space left to save ${file}; nothing was kept of it.`, { cause: error })
    throw error
  } finally {
    await rm(partial, { force: true })
  }
}

/** Reads all of a file and says what it holds. Rejects with FILE_UNREADABLE or DELOS_SNAPSHOT_INVALID. */
export async function verifyStore(file: string): Promise<StoreSnapshot> {
  return (await readStore(file)).found
}

/** The same, and what it holds. */
export async function readStore(file: string): Promise<{ found: StoreSnapshot; held: EtcdFile }> {
  const { bytes, sha256 } = await checkDigest(file)
  const held = readEtcdSnapshot(file)
  if (held === null) throw invalid(file, 'is no snapshot of a store')
  const { rows, position, about } = held
  const found = {
    ...{ file, bytes, sha256, position, revision: rows.state.revision, keys: keysIn(rows) },
    ...{ cluster: about?.clusterId ?? null, savedAt: about?.savedAtMs ?? null },
  }
  return { found, held }
}

/** Keys that are there at the newest revision. */
export function keysIn({ versions }: Pick<KvRows, 'versions'>): number {
  const isThere = new Map(versions.map(({ key, isDeleted }) => [key, !isDeleted]))
  return [...isThere.values()].filter(Boolean).length
}

async function checkDigest(file: string): Promise<{ bytes: number; sha256: string }> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new MusterError('FILE_UNREADABLE', `${file} cannot be read`, { cause })
  })
  const bytes = found.size - DIGEST_BYTES
  if (bytes <= 0 || bytes % PAGE_BYTES_MIN !== 0) throw invalid(file, 'is cut, or no snapshot of a store')
  const hash = createHash('sha256')
  let last = Buffer.alloc(0)
  for await (const part of createReadStream(file, { end: bytes - 1 })) hash.update(part as Buffer)
  for await (const part of createReadStream(file, { start: bytes })) last = Buffer.concat([last, part as Buffer])
  const sha256 = hash.digest('hex')
  if (last.toString('hex') !== sha256) throw invalid(file, 'is damaged: its SHA-256 is not what stands at its end')
  return { bytes, sha256 }
}
