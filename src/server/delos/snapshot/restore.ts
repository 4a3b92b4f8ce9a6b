import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { extract, list } from 'tar'
import { SNAPSHOT_FORMAT, manifestSchema, type SnapshotManifest } from '../../../core/delos/operations/snapshot.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { StatePaths } from '../../../platform/paths.ts'
import { lockState } from '../../state/state-dir.ts'
import { recoverLog } from '../recover-log.ts'
import { fileSha256, isDiskFull, syncDirectory } from '../../../platform/files.ts'
import { filesBelow } from './files-below.ts'
import { FLEET_LOGS } from '../fleet-logs.ts'
import { readFirstPosition } from '../serve/first-position.ts'

export interface Restored {
  context: string
  from: string
  savedAt: number
  logs: SnapshotManifest['logs']
  files: number
}

/**
 * Makes the state of a context from a snapshot: that of a server alone, in a cluster of its own, whatever the snapshot is of. Nothing of the file is put in place before all of it was checked: the
 * manifest, each file's digest, and each log's records up to the position the manifest says.
 * Rejects with SERVER_RUNNING, DELOS_STATE_NOT_EMPTY, DELOS_SNAPSHOT_INVALID, STATE_NEWER or DISK_FULL; the context is then as before.
 */
export async function restoreSnapshot(paths: StatePaths, file: string): Promise<Restored> {
  await stat(file).catch((cause: unknown) => {
    throw new MusterError('FILE_UNREADABLE', `${file} cannot be read`, { cause })
  })
  await mkdir(paths.root, { recursive: true, mode: 0o700 })
  // Held to the end, so that no server starts in between.
  const lock = lockState(paths)
  try {
    await refuseIfUsed(paths)
    const staging = await mkdtemp(join(paths.root, 'restore-'))
    try {
      await unpack(file, staging)
      const manifest = await check(file, staging)
      await place(paths, staging)
      return {
        context: paths.context,
        from: manifest.context,
        savedAt: manifest.savedAt,
        logs: manifest.logs,
        files: manifest.files.length,
      }
    } catch (error) {
      if (isDiskFull(error))
        throw new MusterError('DISK_FULL', `No space left to restore into ${paths.root}; nothing was restored.`, { cause: error })
      throw error
    } finally {
      await rm(staging, { recursive: true, force: true, maxRetries: 10 })
    }
  } finally {
    lock.release()
  }
}

async function refuseIfUsed(paths: StatePaths): Promise<void> {
  const logs = await Promise.all(FLEET_LOGS.map((log) => filesBelow(join(paths.log, log))))
  const isUsed = logs.some((files) => files.length > 0) || (await stat(paths.stateDb).catch(() => null)) !== null
  if (isUsed) throw new MusterError('DELOS_STATE_NOT_EMPTY', `the context "${paths.context}" already has a state in ${paths.root}`)
}

const invalid = (file: string, why: string, cause?: unknown): MusterError =>
  new MusterError('DELOS_SNAPSHOT_INVALID', `${file} ${why}`, { cause })

async function unpack(file: string, staging: string): Promise<void> {
  try {
    // Read through before anything is written: a cut archive would leave files that are still being written.
    await list({ file, strict: true, onReadEntry: (entry) => entry.resume() })
    // Links and devices have no place in a snapshot; `strict` makes every oddity of the archive an error.
    await extract({ file, cwd: staging, strict: true, filter: (_path, entry) => 'type' in entry && entry.type === 'File' })
  } catch (error) {
    if (isDiskFull(error)) throw error
    throw invalid(file, `is not a whole archive: ${(error as Error).message}`, error)
  }
}

async function check(file: string, staging: string): Promise<SnapshotManifest> {
  const manifest = await readManifest(file, staging)
  const found = (await filesBelow(staging)).filter((path) => path !== 'manifest.json')
  const named = new Map(manifest.files.map((one) => [one.path, one]))
  for (const path of found) if (!named.has(path)) throw invalid(file, `holds ${path}, which its manifest does not name`)
  for (const { path, sha256 } of manifest.files) {
    if (!found.includes(path)) throw invalid(file, `lacks ${path}`)
    if ((await fileSha256(join(staging, path))) !== sha256) throw invalid(file, `is damaged: ${path} is not what was saved`)
  }
  for (const [log, { tail }] of Object.entries(manifest.logs)) {
    const dir = join(staging, 'log', log)
    await mkdir(dir, { recursive: true })
    const { end, segments } = await recoverLog(dir)
    const position = segments.length === 0 ? readFirstPosition(dir) : end.position
    if (position < tail) throw invalid(file, `holds the log ${log} up to position ${position - 1} only, not ${tail - 1}`)
  }
  return manifest
}

async function readManifest(file: string, staging: string): Promise<SnapshotManifest> {
  const text = await readFile(join(staging, 'manifest.json'), 'utf8').catch((cause: unknown) => {
    throw invalid(file, 'has no manifest', cause)
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid(file, 'has a manifest that is not JSON', cause)
  }
  const format = (value as { format?: unknown } | null)?.format
  if (typeof format === 'number' && format > SNAPSHOT_FORMAT) {
    throw new MusterError('STATE_NEWER', `${file} has snapshot format ${format}; this muster reads up to ${SNAPSHOT_FORMAT}`)
  }
  const parsed = manifestSchema.safeParse(value)
  if (!parsed.success) throw invalid(file, 'has a manifest of another form', parsed.error)
  return parsed.data
}

/** Moves everything into place; the logs come last, for a state without them counts as none. */
async function place(paths: StatePaths, staging: string): Promise<void> {
  const names = (await readdir(staging)).filter((name) => name !== 'manifest.json')
  for (const name of names.filter((one) => one !== 'log')) await replace(join(staging, name), join(paths.root, name))
  await chmod(paths.keys, 0o700).catch(() => undefined)
  await syncDirectory(paths.root)
  if (names.includes('log')) await replace(join(staging, 'log'), paths.log)
  await syncDirectory(dirname(paths.log))
}

async function replace(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await rename(from, to)
}
