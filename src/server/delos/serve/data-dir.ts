import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError } from '../../../core/kernel/errors.ts'
import { takeLock } from '../../state/state-dir.ts'
import type { ServeOptions } from './options.ts'

const FORMAT = 1
const TOKEN_KEY_BYTES = 32

interface Identity {
  format: number
  cluster: string
  server: string
  /** `single` or `quorum`: what kind of log it began with */
  kind: string
}

/**
 * Takes a data directory for this server: nobody else uses it, and it is of this cluster and server. Throws SERVER_RUNNING,
 * STATE_NEWER, or DELOS_WRONG_CLUSTER, having changed nothing.
 * @param isChanged the cluster is not what it began with, and the flags speak of its beginning
 */
export function holdDataDir(dir: string, options: ServeOptions, isChanged = false): { release: () => void } {
  const lock = takeLock(join(dir, 'lock.db'))
  if (lock === null)
    throw new MusterError('SERVER_RUNNING', `another server uses ${dir}`, {
      hint: 'End it first, or give this one a --data-dir of its own.',
    })
  try {
    const file = join(dir, 'server.json')
    if (isChanged) return lock
    checkIdentity(file, {
      format: FORMAT,
      cluster: options.clusterId.toString(16),
      server: options.self.id.toString(16),
      kind: options.members.length === 1 ? 'single' : 'quorum',
    })
  } catch (error) {
    lock.release()
    throw error
  }
  return lock
}

/** Whose a data directory is, ids in hexadecimal; null: nobody's yet. Throws FILE_UNREADABLE. */
export function readIdentity(dir: string): { cluster: string; server: string } | null {
  const file = join(dir, 'server.json')
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Identity
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new MusterError('FILE_UNREADABLE', `${file} cannot be read`, { cause: error })
  }
}

/** Says whose a data directory is, before its first start. */
export async function writeIdentity(dir: string, of: { clusterId: bigint; serverId: bigint; isAlone: boolean }): Promise<void> {
  const identity: Identity = {
    format: FORMAT,
    cluster: of.clusterId.toString(16),
    server: of.serverId.toString(16),
    kind: of.isAlone ? 'single' : 'quorum',
  }
  await writeFile(join(dir, 'server.json'), `${JSON.stringify(identity)}\n`, { mode: 0o600, flush: true })
}

function checkIdentity(file: string, wanted: Identity): void {
  let found: Identity
  try {
    found = JSON.parse(readFileSync(file, 'utf8')) as Identity
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new MusterError('FILE_UNREADABLE', `${file} cannot be read`, { cause: error })
    writeFileSync(`${file}.new`, `${JSON.stringify(wanted)}\n`, { mode: 0o600, flush: true })
    renameSync(`${file}.new`, file)
    return
  }
  if (found.format !== FORMAT) throw new MusterError('STATE_NEWER', `${file} has format ${found.format}, this program knows ${FORMAT}`)
  if (found.cluster === wanted.cluster && found.server === wanted.server && found.kind === wanted.kind) return
  throw new MusterError(
    'DELOS_WRONG_CLUSTER',
    `${file} is of server ${found.server} in cluster ${found.cluster} (${found.kind}); the flags say server ${wanted.server} in cluster ${wanted.cluster} (${wanted.kind})`,
    { details: { found, wanted } },
  )
}

/** The key that this server's simple tokens are sealed with; made at its first start. */
export function tokenKey(dir: string): Buffer {
  const folder = join(dir, 'keys')
  const file = join(folder, 'token')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const key = randomBytes(TOKEN_KEY_BYTES)
    writeFileSync(file, key, { mode: 0o600, flush: true })
    return key
  }
}
