import { createHash } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { posix, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Transform } from 'node:stream'
import { refuse } from '../core/kernel/errors.ts'
import { isDiskFull } from '../platform/files.ts'
import type { ServerWay } from './server-way.ts'

const ENTRIES_MAX = 200_000
const UNPACKED_BYTES_MAX = 8 * 1024 ** 3
const IDLE_TIMEOUT_MS = 30_000
const TYPES = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory', 'SymbolicLink', 'Link'])

/**
 * Unpacked artifacts of a node, one folder per digest, shared by the tasks that use it. A folder appears by rename, so
 * whoever sees it sees all of it; nothing of an artifact whose bytes do not match its digest is ever unpacked.
 */
export class ArtifactStore {
  readonly #root: string
  readonly #way: Pick<ServerWay, 'request'>
  readonly #users = new Map<string, Set<string>>()
  readonly #running = new Map<string, Promise<void>>()

  constructor(root: string, way: Pick<ServerWay, 'request'>) {
    this.#root = root
    this.#way = way
    mkdirSync(root, { recursive: true, mode: 0o755 })
    for (const name of readdirSync(root)) if (!/^[0-9a-f]{64}$/.test(name)) rmSync(join(root, name), { recursive: true, force: true })
  }

  /** Where `sha256:…` is or will be unpacked. */
  folder(digest: string): string {
    return join(this.#root, hexOf(digest))
  }

  /** Marks an artifact as used, e.g. by a task that was adopted. */
  hold(digest: string, user: string): void {
    const users = this.#users.get(hexOf(digest)) ?? new Set()
    this.#users.set(hexOf(digest), users.add(user))
  }

  /** Lets go of everything `user` held; what nobody holds is removed by {@link collect}. */
  release(user: string): void {
    for (const users of this.#users.values()) users.delete(user)
  }

  /**
   * Makes sure the artifact is there, unpacked. Needs no server when it already is.
   * @throws MusterError UNAVAILABLE when the server cannot be reached (try again), TW_ARTIFACT when it has no such bytes, they do not
   * match the digest, or the archive is unsafe; system errors such as ENOSPC as they are
   */
  async ensure(digest: string, user: string): Promise<string> {
    const hex = hexOf(digest)
    this.hold(digest, user)
    if (existsSync(this.folder(digest))) return this.folder(digest)
    let running = this.#running.get(hex)
    if (running === undefined) {
      running = this.#fetch(hex).finally(() => this.#running.delete(hex))
      this.#running.set(hex, running)
    }
    await running
    return this.folder(digest)
  }

  /** Removes what no task holds. @returns the digests removed */
  collect(): string[] {
    const unused = readdirSync(this.#root).filter((name) => /^[0-9a-f]{64}$/.test(name) && (this.#users.get(name)?.size ?? 0) === 0)
    for (const name of unused) {
      rmSync(join(this.#root, name), { recursive: true, force: true })
      this.#users.delete(name)
    }
    return unused
  }

  async #fetch(hex: string): Promise<void> {
    const file = join(this.#root, `fetch-${hex}`)
    const folder = join(this.#root, `unpack-${hex}`)
    try {
      await download(this.#way, hex, file)
      await unpack(file, folder)
      renameSync(folder, join(this.#root, hex))
    } finally {
      rmSync(file, { force: true })
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

function hexOf(digest: string): string {
  const match = /^(?:sha256:)?([0-9a-f]{64})$/.exec(digest)
  if (match?.[1] === undefined) throw refuse('TW_ARTIFACT', `${digest} is not a digest of the form sha256:<64 hex digits>.`)
  return match[1]
}

async function download(way: Pick<ServerWay, 'request'>, hex: string, file: string): Promise<void> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = way.request({ path: `/v1/artifacts/sha256/${hex}`, isStream: true }, resolve)
    outgoing.setTimeout(IDLE_TIMEOUT_MS, () => outgoing.destroy(new Error('no answer')))
    outgoing.once('error', (error) =>
      reject(refuse('UNAVAILABLE', `The server cannot be asked for artifact ${hex}: ${error.message}.`, { cause: error })),
    )
    outgoing.end()
  })
  if (response.statusCode !== 200) {
    response.destroy()
    const status = response.statusCode ?? 0
    if (status >= 500 || status === 0) throw refuse('UNAVAILABLE', `The server answers ${status} for artifact ${hex}.`)
    throw refuse('TW_ARTIFACT', `The server has no artifact ${hex} (status ${status}).`)
  }
  const hash = createHash('sha256')
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  try {
    await pipeline(response, hashing, createWriteStream(file, { mode: 0o600 }))
  } catch (error) {
    if (isDiskFull(error)) throw error
    throw refuse('UNAVAILABLE', `Artifact ${hex} broke off while it was fetched: ${(error as Error).message}.`, { cause: error })
  }
  const got = hash.digest('hex')
  if (got !== hex) throw refuse('TW_ARTIFACT', `The bytes of artifact ${hex} have the digest ${got}; they are not used.`)
}

/**
 * Unpacks a tar or tar.gz into a new folder.
 * @throws MusterError TW_ARTIFACT when an entry could leave the folder (`..`, an absolute path, a link out of it), is a device, or the
 * archive is broken or larger than the limits
 */
export async function unpack(file: string, folder: string): Promise<void> {
  // Loaded late: most starts of an agent unpack nothing.
  const tar = await import('tar')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const objections: string[] = []
  let entries = 0
  let bytes = 0
  try {
    await tar.t({
      file,
      strict: true,
      preservePaths: true,
      onReadEntry: (entry) => {
        entries += 1
        bytes += entry.size
        const found = objection(entry.type, entry.path, entry.linkpath)
        if (found !== null && objections.length === 0) objections.push(found)
        entry.resume()
      },
    })
    if (entries > ENTRIES_MAX || bytes > UNPACKED_BYTES_MAX) objections.push('more or larger entries than allowed')
    if (entries === 0) objections.push('no entries: it is not a tar archive, or an empty one')
    if (objections.length === 0) await tar.x({ file, cwd: folder, strict: true, preserveOwner: false })
  } catch (error) {
    if (isDiskFull(error)) throw error
    throw refuse('TW_ARTIFACT', `The archive cannot be unpacked: ${(error as Error).message}.`, { cause: error })
  }
  if (objections[0] !== undefined) throw refuse('TW_ARTIFACT', `The archive is refused: ${objections[0]}.`)
}

/** Why an entry is not unpacked, or null. */
function objection(type: string, path: string, linkpath: string | undefined): string | null {
  if (!TYPES.has(type)) return `${path} is a ${type}`
  if (leaves(path)) return `${path} points out of the archive`
  if (type === 'SymbolicLink' && (posix.isAbsolute(linkpath ?? '') || leaves(posix.join(posix.dirname(path), linkpath ?? ''))))
    return `the link ${path} points out of the archive`
  if (type === 'Link' && leaves(linkpath ?? '')) return `the link ${path} points out of the archive`
  return null
}

function leaves(path: string): boolean {
  return posix.isAbsolute(path) || path.includes('\0') || posix.normalize(path).split('/')[0] === '..'
}
