import { createHash, type Hash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import { ARCHIVE_FORMAT, readManifest, type ArchiveFile, type Manifest } from '../../../core/delos/archive/manifest.ts'
import { BatchBuilder } from '../../../core/delos/log/batch.ts'
import { KIND } from '../../../core/delos/log/record.ts'
import { scanRecords } from '../../../core/delos/log/recovery.ts'
import { encodeSegmentHeader, FORMAT, positionOfName, SEGMENT_HEADER_BYTES, segmentName } from '../../../core/delos/log/segment.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'
import { closeFile, openFile, syncData, writeAll } from '../disk.ts'
import { batchTimeOf } from './batch-time.ts'

export interface ArchiveIdentity {
  /** ids, hex */
  cluster: string
  server: string
  name: string
  leaseTtlMinS: number
}

/** One server's folder of an archive, open to be written to. */
export interface ArchiveWriter {
  /** the position it wants next; null: it holds nothing yet, and begins with whatever comes first */
  readonly next: number | null
  /** what its manifest says is there */
  readonly manifest: Manifest
  readonly dir: string
  /** Adds batches, one after the other, from `next` on or after a hole. They count once `commit` resolved. */
  append(entries: readonly LogletEntry[]): Promise<void>
  commit(skips: readonly number[]): Promise<void>
  close(): Promise<void>
}

/** A file that is larger is closed, and never touched again. */
const FILE_BYTES_MAX = 64 * 1024 * 1024
export const MANIFEST = 'manifest.json'

/** What the segment files of a cluster's archive are told from those of others by. */
const logletOf = (cluster: string): number => Number(BigInt.asUintN(32, BigInt(`0x${cluster}`))) || 1

/** The file that is written to. */
interface Current {
  file: string
  fd: number
  first: number
  /** after its last batch; not all of it is committed */
  next: number
  bytes: number
  hash: Hash
  prevCrc: number
  toMs: number
}

export interface WriterOptions {
  /** the folder of the archive, which has to be there: one that is not mounted must not be filled in its place */
  to: string
  identity: ArchiveIdentity
  /** a file that is larger is closed; 64 MiB unless said */
  fileBytesMax?: number
  logger: Logger
}

/**
 * Opens the folder and goes on behind the last manifest: what an earlier process wrote after it is thrown away, for it may be half. Rejects
 * with DELOS_ARCHIVE_INVALID when what is there is not this server's, or no manifest that can be read, and with what the file system says.
 */
export async function openArchiveWriter({ to, identity, fileBytesMax = FILE_BYTES_MAX, logger }: WriterOptions): Promise<ArchiveWriter> {
  const dir = await makeFolders(to, identity)
  const found = await manifestIn(dir)
  if (found !== null && (found.cluster !== identity.cluster || found.server !== identity.server))
    throw new MusterError('DELOS_ARCHIVE_INVALID', `${dir} is the archive of server ${found.server} in cluster ${found.cluster}`)
  const files = found === null ? [] : [...found.files]
  await dropStrays(dir, files)
  const last = files.at(-1)
  const current = last === undefined || last.bytes >= fileBytesMax ? await checkClosed(dir, last) : await reopen(dir, last, identity)
  if (current === 'damaged') {
    files.pop()
    const name = (last as ArchiveFile).file
    await rename(join(dir, name), join(dir, `${name}.damaged`)).catch(() => undefined)
    logger.error('a file of the archive is damaged; its positions are archived again, as far as the log has them', {
      file: join(dir, name),
    })
  }
  const manifest: Manifest = { format: ARCHIVE_FORMAT, ...identity, skips: found?.skips ?? [], writtenAtMs: found?.writtenAtMs ?? 0, files }
  return new Writer(dir, manifest, current === 'damaged' ? null : current, fileBytesMax)
}

export const archiveDirOf = (to: string, cluster: string, server: string): string => join(to, cluster, 'kv', server)

/** One by one: asked for all at once, Node never comes back from where none can be made. */
async function makeFolders(to: string, { cluster, server }: ArchiveIdentity): Promise<string> {
  let dir = to
  for (const name of [cluster, 'kv', server]) {
    const parent = dir
    dir = join(parent, name)
    try {
      await mkdir(dir, { mode: 0o700 })
      await syncDirectory(parent)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  return dir
}

/** Null: none was written. Rejects with DELOS_ARCHIVE_INVALID. */
export async function manifestIn(dir: string): Promise<Manifest | null> {
  const file = join(dir, MANIFEST)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const manifest = readManifest(text)
  if (manifest === null) throw new MusterError('DELOS_ARCHIVE_INVALID', `${file} is damaged, or of a newer version`)
  return manifest
}

async function dropStrays(dir: string, files: readonly ArchiveFile[]): Promise<void> {
  for (const name of await readdir(dir))
    if (positionOfName(name) !== null && !files.some(({ file }) => file === name)) await rm(join(dir, name), { force: true })
}

/** A closed file is not read again at each start; that it is still there is. */
async function checkClosed(dir: string, last: ArchiveFile | undefined): Promise<null | 'damaged'> {
  if (last === undefined) return null
  const found = await stat(join(dir, last.file)).catch(() => null)
  return found !== null && found.size >= last.bytes ? null : 'damaged'
}

async function reopen(dir: string, last: ArchiveFile, { cluster }: ArchiveIdentity): Promise<Current | 'damaged'> {
  const path = join(dir, last.file)
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
  const counted = bytes.subarray(0, last.bytes)
  const hash = createHash('sha256').update(counted)
  const scan = scanRecords(counted, { offset: SEGMENT_HEADER_BYTES, position: last.first, prevCrc: null }, logletOf(cluster))
  if (counted.length < last.bytes || hash.copy().digest('hex') !== last.sha256 || scan.position !== last.last + 1) return 'damaged'
  if (bytes.length > last.bytes) await truncate(path, last.bytes)
  const { file, first, toMs } = last
  return { file, fd: await openFile(path, 'r+'), first, next: last.last + 1, bytes: last.bytes, hash, prevCrc: scan.prevCrc ?? 0, toMs }
}

class Writer implements ArchiveWriter {
  readonly dir: string
  readonly #fileBytesMax: number
  readonly #batch = new BatchBuilder(256 * 1024)
  #current: Current | null
  /** named by the manifest, or closed and to be named by the next one */
  #closed: ArchiveFile[]
  manifest: Manifest

  constructor(dir: string, manifest: Manifest, current: Current | null, fileBytesMax: number) {
    this.dir = dir
    this.manifest = manifest
    this.#current = current
    this.#closed = current === null ? manifest.files : manifest.files.slice(0, -1)
    this.#fileBytesMax = fileBytesMax
  }

  get next(): number | null {
    const last = this.#closed.at(-1)
    return this.#current?.next ?? (last === undefined ? null : last.last + 1)
  }

  async append(entries: readonly LogletEntry[]): Promise<void> {
    const [head] = entries
    const last = entries.at(-1)
    if (head === undefined || last === undefined) return
    let current = this.#current
    if (current !== null && (current.bytes >= this.#fileBytesMax || current.next !== head.position)) current = await this.#end(current)
    current ??= await this.#begin(head.position)
    this.#batch.reset()
    this.#batch.add(entries.map(({ payload }) => payload))
    const loglet = logletOf(this.manifest.cluster)
    const header = { kind: KIND.batch, position: current.next, ballot: 0, synced: current.next - 1, prevCrc: current.prevCrc, loglet }
    const { bytes, crc } = this.#batch.finish(header)
    await writeAll(current.fd, bytes, current.bytes)
    current.hash.update(bytes)
    current.bytes += bytes.length
    current.next = last.position + 1
    current.prevCrc = crc
    current.toMs = batchTimeOf(last.payload)
  }

  async #begin(first: number): Promise<Current> {
    const file = segmentName(first)
    const fd = await openFile(join(this.dir, file), 'w+')
    const header = encodeSegmentHeader({ format: FORMAT, firstPosition: first, loglet: logletOf(this.manifest.cluster) })
    await writeAll(fd, header, 0)
    const hash = createHash('sha256').update(header)
    this.#current = { file, fd, first, next: first, bytes: header.length, hash, prevCrc: this.#closed.at(-1)?.crc ?? 0, toMs: 0 }
    return this.#current
  }

  async #end(current: Current): Promise<null> {
    await syncData(current.fd)
    this.#closed = [...this.#closed, describe(current)]
    this.#current = null
    await closeFile(current.fd)
    return null
  }

  async commit(skips: readonly number[]): Promise<void> {
    const current = this.#current
    if (current !== null) await syncData(current.fd)
    const files = current === null ? this.#closed : [...this.#closed, describe(current)]
    const manifest = { ...this.manifest, skips: [...skips], writtenAtMs: Date.now(), files }
    const path = join(this.dir, MANIFEST)
    const handle = await open(`${path}.new`, 'w', 0o600)
    try {
      await handle.writeFile(`${JSON.stringify(manifest)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // The names of new files first: a manifest never names one that a power cut takes away.
    await syncDirectory(this.dir)
    await rename(`${path}.new`, path)
    await syncDirectory(this.dir)
    this.manifest = manifest
  }

  async close(): Promise<void> {
    const current = this.#current
    this.#current = null
    if (current !== null) await closeFile(current.fd)
  }
}

function describe({ file, first, next, bytes, hash, prevCrc: crc, toMs }: Current): ArchiveFile {
  return { file, first, last: next - 1, bytes, sha256: hash.copy().digest('hex'), crc, toMs }
}
