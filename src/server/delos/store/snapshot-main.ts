import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, statSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { FileAbout } from '../../../core/delos/bbolt/etcd-file.ts'
import type { Member } from '../../../core/delos/wire/messages.ts'
import { stateStandOf } from '../../state/state-stand.ts'
import { writeEtcdSnapshot } from './etcd-snapshot.ts'
import { standOf, type StoreCursor } from './rows-file.ts'

/**
 * `make`: a copy of the rows in `from`, as they stand at one moment, at `file`. `etcd`: the same in etcd's format. `check`: whether `file` is
 * whole and holds rows.
 */
export type SnapshotTask =
  | { kind: 'make'; of: SnapshotKind; from: string; file: string }
  | { kind: 'etcd'; from: string; file: string; members: Member[]; about: FileAbout }
  | { kind: 'check'; of: SnapshotKind; file: string }

/** `rows`: `kv.db`. `state`: `state.db`. */
export type SnapshotKind = 'rows' | 'state'

/**
 * What rows hold. `position`: of the last batch in them; 0: none. `skipped`: which ones were passed over. `revision`: theirs; 0: not looked at.
 * `schema`: by what statements the tables of a `state.db` were made; null: not one
 */
type Stand = Pick<StoreCursor, 'position' | 'skipped'> & { revision: number; schema: number | null }

export type SnapshotResult =
  | ({ kind: 'done'; sizeBytes: number; sha256: string } & Stand)
  | { kind: 'failed'; code: string; message: string }

const READ_BYTES = 1024 * 1024

function make(from: string, file: string): void {
  const db = new Database(from, { readonly: true })
  try {
    db.prepare('VACUUM INTO ?').run(file)
  } finally {
    db.close()
  }
}

function standIn(of: SnapshotKind, file: string, isChecked: boolean): Stand {
  const db = new Database(file, { readonly: true })
  try {
    if (isChecked) {
      const found = db.pragma('integrity_check(1)', { simple: true })
      if (found !== 'ok') throw Object.assign(new Error(String(found)), { code: 'DAMAGED' })
    }
    return of === 'rows' ? { ...standOf(db), schema: null } : { ...stateStandOf(db), revision: 0 }
  } finally {
    db.close()
  }
}

/** Syncs the file, too: from here on others rely on it. */
function digest(file: string): string {
  const hash = createHash('sha256')
  const fd = openSync(file, 'r')
  const buffer = new Uint8Array(READ_BYTES)
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) hash.update(buffer.subarray(0, read))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}

function standOfTask(task: SnapshotTask): Stand {
  if (task.kind === 'etcd')
    return { ...writeEtcdSnapshot(task.from, task.file, task.members, task.about), skipped: [], revision: 0, schema: null }
  if (task.kind === 'make') make(task.from, task.file)
  return standIn(task.of, task.file, task.kind === 'check')
}

function run(task: SnapshotTask): SnapshotResult {
  try {
    const stand = standOfTask(task)
    return { kind: 'done', sizeBytes: statSync(task.file).size, sha256: digest(task.file), ...stand }
  } catch (error) {
    return { kind: 'failed', code: (error as { code?: string }).code ?? '', message: (error as Error).message }
  }
}

parentPort?.postMessage(run(workerData as SnapshotTask))
