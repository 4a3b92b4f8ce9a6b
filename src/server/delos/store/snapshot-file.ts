import { rm } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { FileAbout } from '../../../core/delos/bbolt/etcd-file.ts'
import type { Member } from '../../../core/delos/wire/messages.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { entryPoint } from '../../../platform/spawn.ts'
import type { SnapshotKind, SnapshotResult, SnapshotTask } from './snapshot-main.ts'

export type SnapshotFile = Omit<Extract<SnapshotResult, { kind: 'done' }>, 'kind'>

/**
 * Makes a consistent copy of `kv.db` or `state.db` while it is written to: its rows, and up to which position they go, of one moment; synced.
 * In a thread of its own. Rejects with DISK_FULL or DELOS_SNAPSHOT_INVALID, having left nothing behind.
 */
export function makeSnapshotFile(of: SnapshotKind, from: string, file: string): Promise<SnapshotFile> {
  return make({ kind: 'make', of, from, file })
}

/** The same in etcd's own format. */
export function makeEtcdFile(from: string, file: string, members: Member[], about: FileAbout): Promise<SnapshotFile> {
  return make({ kind: 'etcd', from, file, members, about })
}

async function make(task: SnapshotTask): Promise<SnapshotFile> {
  await rm(task.file, { force: true })
  try {
    return await runTask(task)
  } catch (error) {
    await rm(task.file, { force: true })
    throw error
  }
}

/** Reads all of a copy. Rejects with DELOS_SNAPSHOT_INVALID if it is not whole. */
export function checkSnapshotFile(of: SnapshotKind, file: string): Promise<SnapshotFile> {
  return runTask({ kind: 'check', of, file })
}

function runTask(task: SnapshotTask): Promise<SnapshotFile> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entryPoint('server/delos/store/snapshot-main')[1], { workerData: task })
    worker.once('error', reject)
    worker.once('message', (result: SnapshotResult) => {
      if (result.kind === 'failed') {
        const { code, message } = result
        const isFull = code === 'SQLITE_FULL' || code === 'ENOSPC'
        const text = `${task.file} ${task.kind !== 'check' ? 'cannot be made' : 'is not a whole store'}: ${message}`
        return reject(new MusterError(isFull ? 'DISK_FULL' : 'DELOS_SNAPSHOT_INVALID', text))
      }
      const { kind: _, ...file } = result
      resolve(file)
    })
  })
}
