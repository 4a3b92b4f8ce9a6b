import { access, constants, copyFile, link, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { create } from 'tar'
import type { z } from 'zod'
import { SNAPSHOT_FORMAT, type SnapshotManifest, type snapshotSave } from '../../../core/delos/operations/snapshot.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { StatePaths } from '../../../platform/paths.ts'
import { FLEET_LOGS, type FleetLog } from '../fleet-logs.ts'
import { standOf } from '../store/rows-file.ts'
import { copyLog, type SnapshotLog } from './copy-log.ts'
import { fileSha256, isDiskFull, syncDirectory } from '../../../platform/files.ts'
import { filesBelow } from './files-below.ts'

/** The logs as a snapshot sees them, and a way to have them stand still. */
export interface SnapshotSource {
  paths: StatePaths
  logs: Record<FleetLog, SnapshotLog>
  /** Runs `work` while this server appends nothing to any log. */
  quiesce: (work: () => Promise<void>) => Promise<void>
}

/** Names of the folders, beside the state, that a snapshot is collected in. */
const STAGING = 'snapshot-'
/** Pages copied between two turns of the event loop: 4 MiB. */
const BACKUP_PAGES = 1024

/**
 * Saves the whole state of a context: both logs, their databases, the artifacts, the keys and the plan of the local fleet;
 * not the event store and not the logs of processes. Everything is collected beside the state, then packed, then renamed,
 * so that a file of this name is always whole. Rejects with USAGE if the file exists, DISK_FULL if there is no room.
 */
export async function saveSnapshot(source: SnapshotSource, file: string): Promise<z.output<typeof snapshotSave.output>> {
  const exists = await stat(file).then(
    () => true,
    () => false,
  )
  if (exists) throw new MusterError('USAGE', `${file} exists already`, { hint: 'Name another file, or remove this one.' })
  await access(dirname(file), constants.W_OK).catch((cause: unknown) => {
    throw new MusterError('USAGE', `${dirname(file)} cannot be written to`, {
      cause,
      hint: 'Name a file in a directory that exists and is yours.',
    })
  })
  const staging = await mkdtemp(join(source.paths.root, STAGING))
  const partial = `${file}.partial-${process.pid}`
  try {
    const logs = await collect(source, staging)
    const manifest = await describe(source, staging, logs)
    await writeFile(join(staging, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    await create({ file: partial, cwd: staging, gzip: { level: 1 }, portable: true, mode: 0o600 }, [
      'manifest.json',
      ...manifest.files.map(({ path }) => path),
    ])
    const { size } = await stat(partial)
    const sha256 = await fileSha256(partial)
    await rename(partial, file)
    await syncDirectory(dirname(file))
    return { file, bytes: size, sha256, logs, files: manifest.files.length }
  } catch (error) {
    if (isDiskFull(error)) throw new MusterError('DISK_FULL', `No space left to save ${file}; nothing was kept of it.`, { cause: error })
    throw error
  } finally {
    await rm(partial, { force: true })
    await rm(staging, { recursive: true, force: true })
  }
}

/** Removes what a server that was killed while saving left behind. */
export async function removeLeftovers(paths: StatePaths): Promise<void> {
  const names = await readdir(paths.root)
  for (const name of names.filter((one) => one.startsWith(STAGING))) await rm(join(paths.root, name), { recursive: true, force: true })
}

async function collect({ paths, logs, quiesce }: SnapshotSource, staging: string): Promise<SnapshotManifest['logs']> {
  // The databases first: what they lack of the logs is applied when they are opened again, but they must not be ahead.
  for (const file of [paths.stateDb, paths.kvDb]) await copyDatabase(file, join(staging, basename(file)))
  for (const name of ['format.json', 'fleet.json', 'keys']) await copyTree(join(paths.root, name), join(staging, name), copyFile)
  // Blobs are never changed, so a second name for them is a copy.
  await copyTree(join(paths.artifacts, 'blobs'), join(staging, 'artifacts', 'blobs'), linkOrCopy)
  const copies = FLEET_LOGS.map((name) => ({ name, copy: copyLog(logs[name], join(paths.log, name), join(staging, 'log', name)) }))
  try {
    for (const { copy } of copies) await copy.ahead()
    const stood: SnapshotManifest['logs'] = {}
    await quiesce(async () => {
      for (const { name, copy } of copies) stood[name] = await copy.rest()
    })
    assertWhole(staging, stood)
    return stood
  } finally {
    for (const { copy } of copies) await copy.close()
  }
}

/** What a log no longer holds has to be in its database. */
function assertWhole(staging: string, logs: SnapshotManifest['logs']): void {
  const nextOf = { control: () => nextBatch(join(staging, 'state.db')), kv: () => nextRows(join(staging, 'kv.db')) }
  for (const name of FLEET_LOGS) {
    const head = logs[name]?.head ?? 1
    if (head > 1 && nextOf[name]() < head)
      throw new MusterError(
        'UNAVAILABLE',
        `the log ${name} begins here at ${head}, and its database is not that far yet; nothing was saved`,
        {
          hint: 'Ask again in a few seconds, or the server that leads.',
        },
      )
  }
}

function nextBatch(file: string): number {
  const db = openIfThere(file)
  if (db === null) return 1
  try {
    return db.prepare<[], { value: number }>("SELECT value FROM muster_state WHERE key = 'batch'").get()?.value ?? 1
  } finally {
    db.close()
  }
}

function nextRows(file: string): number {
  const db = openIfThere(file)
  if (db === null) return 1
  try {
    return standOf(db).position + 1
  } finally {
    db.close()
  }
}

async function copyDatabase(from: string, to: string): Promise<void> {
  const db = openIfThere(from)
  if (db === null) return
  try {
    await db.backup(to, { progress: () => BACKUP_PAGES })
  } finally {
    db.close()
  }
}

function openIfThere(file: string): Database.Database | null {
  try {
    return new Database(file, { readonly: true, fileMustExist: true })
  } catch {
    // It is derived: without it, it is built from the log.
    return null
  }
}

async function copyTree(from: string, to: string, copy: (from: string, to: string) => Promise<void>): Promise<void> {
  for (const path of await filesBelow(from)) {
    const target = path === '' ? to : join(to, path)
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await copy(path === '' ? from : join(from, path), target)
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to))
}

async function describe({ paths }: SnapshotSource, staging: string, logs: SnapshotManifest['logs']): Promise<SnapshotManifest> {
  const files: SnapshotManifest['files'] = []
  for (const path of await filesBelow(staging)) {
    const { size } = await stat(join(staging, path))
    files.push({ path, bytes: size, sha256: await fileSha256(join(staging, path)) })
  }
  return { format: SNAPSHOT_FORMAT, context: paths.context, savedAt: Date.now(), logs, files }
}
