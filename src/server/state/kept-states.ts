import Database from 'better-sqlite3'
import { copyFileSync, constants, existsSync, fsyncSync, openSync, closeSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isFit } from '../../core/delos/virtual-log/chain.ts'
import { syncDirectory } from '../../platform/files.ts'
import { makeSnapshotFile } from '../delos/store/snapshot-file.ts'
import { stateStandOf } from './state-stand.ts'

/** A copy of the state as it was after a position; on the disk, and never changed. */
export interface KeptState {
  file: string
  position: number
}

/** What is in the way of making a state anew is found in the newer one at times: then the older one helps. */
const KEPT_MAX = 2
const NAME = /^(\d{1,16})\.db$/

/** Where the copies of a state database are. */
export const keptDirOf = (stateDb: string): string => `${stateDb}.kept`

/** Newest first; none when there is no such directory. */
export function keptStates(dir: string): KeptState[] {
  const names = existsSync(dir) ? readdirSync(dir) : []
  const found = names.flatMap((name) => {
    const position = NAME.exec(name)?.[1]
    return position === undefined ? [] : [{ file: join(dir, name), position: Number(position) }]
  })
  return found.toSorted((a, b) => b.position - a.position)
}

/** Copies the state as it is now, while it is written to. Resolves once it is on the disk. Rejects with DISK_FULL or DELOS_SNAPSHOT_INVALID. */
export async function keepState(stateDb: string): Promise<KeptState> {
  const dir = keptDirOf(stateDb)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const made = join(dir, 'new')
  const { position } = await makeSnapshotFile('state', stateDb, made)
  const file = join(dir, `${position}.db`)
  await rename(made, file)
  await syncDirectory(dir)
  for (const old of keptStates(dir).slice(KEPT_MAX)) await rm(old.file, { force: true })
  return { file, position }
}

/** Removes copies that hold what is to be skipped: nothing is to go by them. */
export function dropUnfitKept(stateDb: string, skips: ReadonlySet<number> | null): void {
  if (skips === null) return
  for (const { file } of keptStates(keptDirOf(stateDb))) {
    const db = new Database(file, { readonly: true })
    try {
      if (isFit(skips, stateStandOf(db))) continue
    } finally {
      db.close()
    }
    rmSync(file, { force: true })
  }
}

/** Puts a copy, or nothing, in the place of a database that nobody has open; what stood there is gone. */
export function putInPlace(from: { file: string; isMoved: boolean } | null, dbFile: string): void {
  let source: string | null = null
  if (from !== null) {
    source = from.isMoved ? from.file : `${dbFile}.copy`
    if (!from.isMoved) copySynced(from.file, source)
  }
  // The write-ahead log first: read with another database it would be taken for a part of it.
  for (const suffix of ['-wal', '-shm']) rmSync(dbFile + suffix, { force: true })
  if (source === null) rmSync(dbFile, { force: true })
  else renameSync(source, dbFile)
}

function copySynced(from: string, to: string): void {
  rmSync(to, { force: true })
  copyFileSync(from, to, constants.COPYFILE_FICLONE)
  const fd = openSync(to, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
