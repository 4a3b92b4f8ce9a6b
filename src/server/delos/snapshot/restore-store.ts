import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FRESH } from '../../../core/delos/paxos/contract.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { isDiskFull, syncDirectory } from '../../../platform/files.ts'
import { openAcceptorDisk } from '../quorum/acceptor-disk.ts'
import { writeBase } from '../quorum/journal-base.ts'
import { clusterIdOf, membersOf } from '../serve/options.ts'
import { writeIdentity } from '../serve/data-dir.ts'
import { writeFirstPosition } from '../serve/first-position.ts'
import { EMPTY_CURSOR } from '../store/rows-file.ts'
import { writeRowsFile } from '../store/write-rows-file.ts'
import { replayArchive, type Until } from './replay.ts'
import { keysIn, readStore, type StoreSnapshot } from './store-file.ts'

export interface RestoreStore {
  dataDir: string
  /** of this server, among those of `initialCluster` */
  name: string
  initialCluster: string
  /** tells the new cluster from the old one */
  token: string
  /** added to the revision, so that no client sees one twice with another content */
  bumpRevision: number
  /** a folder that the servers archived their log to, and how far that is applied; left out: only what the snapshot holds */
  archive?: { dir: string; until: Until } | undefined
}

export interface RestoredStore extends StoreSnapshot {
  dataDir: string
  newCluster: string
  /** users of an etcd whose passwords have to be set anew */
  withoutPassword: string[]
  server: string
  /** up to where the archive was applied, and log time of that, ms; null: without one */
  applied: { position: number; timeMs: number | null } | null
}

/**
 * Makes the data directory of one server of a new cluster from a snapshot. Every server of it is made so, from the same file, to the same position; one that is started
 * with an empty directory instead gets a snapshot from them. The log goes on after the snapshot's last position, so that nobody takes
 * it for a log that holds everything. Rejects with USAGE, DELOS_STATE_NOT_EMPTY, DELOS_SNAPSHOT_INVALID, DELOS_ARCHIVE_INVALID or DISK_FULL, having left nothing behind.
 */
export async function restoreStore(file: string, options: RestoreStore): Promise<RestoredStore> {
  const { dataDir, name, initialCluster, token, bumpRevision } = options
  const members = membersOf(initialCluster, token)
  const self = members.find((member) => member.name === name)
  if (self === undefined) throw new MusterError('USAGE', `--initial-cluster does not name ${name}`)
  const clusterId = clusterIdOf(members)
  const { found: saved, held } = await readStore(file)
  if (saved.cluster === clusterId.toString(16))
    throw new MusterError('USAGE', `--initial-cluster-token ${token} makes the cluster that the snapshot is of`, {
      hint: 'Give another one: two clusters with one id would take each other for their own.',
    })
  if ((await readdir(dataDir).catch(() => [])).length > 0)
    throw new MusterError('DELOS_STATE_NOT_EMPTY', `${dataDir} is not empty`, { hint: 'Name another --data-dir.' })
  const from = { rows: held.rows, position: saved.position, exact: held.about?.exact, cluster: saved.cluster }
  const replayed = options.archive === undefined ? null : await replayArchive(from, options.archive.dir, options.archive.until)
  const all = replayed?.rows ?? held.rows
  const position = replayed?.position ?? saved.position
  const found = { ...saved, position, keys: keysIn(all) }
  const staging = `${dataDir}.restoring-${process.pid}`
  try {
    const log = join(staging, 'log', 'kv')
    await mkdir(log, { recursive: true, mode: 0o700 })
    const next = position + 1
    const rows = join(staging, 'kv.db')
    const state = { ...all.state, revision: all.state.revision + bumpRevision }
    // What a member said of its own rows or disk is over with it.
    const alarms = all.alarms.filter(({ isContained, isOfDisk }) => isContained !== true && isOfDisk !== true)
    writeRowsFile(rows, { ...all, alarms, state }, { ...EMPTY_CURSOR, position, timeMs: replayed?.timeMs ?? 0 })
    await syncFile(rows)
    if (members.length === 1) await writeFirstPosition(log, next)
    else {
      // The slot before the first stands for all that the snapshot holds: who lacks it is told to get a snapshot.
      const acceptor = await openAcceptorDisk(log, { clusterId, loglet: 1, incarnation: 1 }, false)
      await acceptor.write(FRESH)
      await acceptor.close()
      await writeBase(log, { slot: 1, position: next, place: 1 })
    }
    await writeIdentity(staging, { clusterId, serverId: self.id, isAlone: members.length === 1 })
    await syncDirectory(staging)
    await mkdir(dirname(dataDir), { recursive: true })
    await rm(dataDir, { recursive: true, force: true })
    await rename(staging, dataDir)
    await syncDirectory(dirname(dataDir))
    const { withoutPassword } = held
    return {
      ...found,
      revision: state.revision,
      withoutPassword,
      dataDir,
      newCluster: clusterId.toString(16),
      server: self.id.toString(16),
      applied: replayed === null ? null : { position, timeMs: replayed.timeMs },
    }
  } catch (error) {
    if (isDiskFull(error)) throw new MusterError('DISK_FULL', `No space left to restore into ${dataDir}.`, { cause: error })
    throw error
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
