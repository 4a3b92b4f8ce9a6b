import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'
import { readEtcdFile, writeEtcdFile, type EtcdFile, type FileAbout } from '../../../core/delos/bbolt/etcd-file.ts'
import { openBbolt } from '../../../core/delos/bbolt/reader.ts'
import type { Member } from '../../../core/delos/wire/messages.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { readRows } from './rows-file.ts'

const GATHER_BYTES = 1024 * 1024

/**
 * Writes the rows of a `kv.db`, as they stand at one moment, in etcd's own format, synced. Blocks: for a thread of its own.
 * @returns bytes of the file, and the position up to which its rows go. Throws DELOS_SNAPSHOT_INVALID when there are none yet.
 */
export function writeEtcdSnapshot(
  kvDb: string,
  file: string,
  members: readonly Member[],
  about: FileAbout,
): { sizeBytes: number; position: number } {
  const db = new Database(kvDb, { readonly: true })
  const fd = openSync(file, 'w', 0o600)
  try {
    return db.transaction(() => {
      const kept = readRows(db)
      if (kept === null) throw new MusterError('DELOS_SNAPSHOT_INVALID', `${kvDb} holds nothing yet`)
      const { position, timeMs, sessions: proposers } = kept.cursor
      const { state, alarms, sessions = [] } = kept.rows
      const { revision, epoch, digest } = state
      const exact = { timeMs, proposers, revision, epoch, digest, alarms: [...alarms], sessions: [...sessions] }
      const out = gather((at, bytes) => writeAllSync(fd, bytes, at))
      const sizeBytes = writeEtcdFile(out.write, kept.rows, members, position, { ...about, exact })
      out.flush()
      fsyncSync(fd)
      return { sizeBytes, position }
    })()
  } finally {
    closeSync(fd)
    db.close()
  }
}

/** What {@link readEtcdFile} gives, of a file. Null: it is none of etcd's. */
export function readEtcdSnapshot(file: string): EtcdFile | null {
  const fd = openSync(file, 'r')
  try {
    const source = (at: number, length: number): Uint8Array => {
      const bytes = new Uint8Array(length)
      return bytes.subarray(0, readSync(fd, bytes, 0, length, at))
    }
    const meta = openBbolt(source)
    return meta === null ? null : readEtcdFile(source, meta)
  } finally {
    closeSync(fd)
  }
}

/** Pages come one after the other and are small: many go out in one write. */
function gather(write: (at: number, bytes: Uint8Array) => void): { write: (at: number, bytes: Uint8Array) => void; flush: () => void } {
  const buffer = new Uint8Array(GATHER_BYTES)
  let start = 0
  let length = 0
  const flush = (): void => {
    if (length > 0) write(start, buffer.subarray(0, length))
    length = 0
  }
  return {
    flush,
    write: (at, bytes) => {
      if (at !== start + length || length + bytes.length > GATHER_BYTES) flush()
      if (length === 0) start = at
      if (bytes.length > GATHER_BYTES) return write(at, bytes)
      buffer.set(bytes, length)
      length += bytes.length
    },
  }
}

function writeAllSync(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
}
