import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import { holdersOf, spansOf, type ArchiveFile, type Manifest, type Span } from '../../../core/delos/archive/manifest.ts'
import { batchEntries } from '../../../core/delos/log/batch.ts'
import { KIND, readRecord } from '../../../core/delos/log/record.ts'
import { SEGMENT_HEADER_BYTES } from '../../../core/delos/log/segment.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { manifestIn } from './archive-writer.ts'

/** What all servers of a cluster archived into a folder. */
export interface Archive {
  manifests: Manifest[]
  files: (ArchiveFile & { dir: string })[]
  /** positions that are there, of all servers together */
  spans: Span[]
}

/**
 * @param cluster id, hex; null: the only one that is there
 * @throws NOT_FOUND when nothing is archived there, USAGE when it is not said of which cluster, DELOS_ARCHIVE_INVALID
 */
export async function openArchive(to: string, cluster: string | null): Promise<Archive> {
  const clusters = await foldersIn(to)
  const [only] = clusters
  if (cluster === null && clusters.length > 1)
    throw new MusterError('USAGE', `${to} holds the archives of several clusters, and the snapshot does not say which it is of`, {
      hint: `Make a folder with the one that is meant: ${clusters.join(', ')}.`,
    })
  const of = cluster ?? only
  const root = of === undefined ? to : join(to, of, 'kv')
  const archive: Archive = { manifests: [], files: [], spans: [] }
  for (const server of of === undefined ? [] : await foldersIn(root)) {
    const dir = join(root, server)
    const manifest = await manifestIn(dir)
    if (manifest === null || manifest.cluster !== of) continue
    archive.manifests.push(manifest)
    archive.files.push(...manifest.files.map((file) => ({ ...file, dir })))
  }
  if (archive.manifests.length === 0)
    throw new MusterError('NOT_FOUND', `${to} holds no archive of ${of === undefined ? 'any cluster' : `cluster ${of}`}`)
  archive.spans = spansOf(archive.files)
  return archive
}

async function foldersIn(dir: string): Promise<string[]> {
  const items = await readdir(dir, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new MusterError('FILE_UNREADABLE', `${dir} cannot be read (${error.code})`, { cause: error })
  })
  return items.flatMap((item) => (item.isDirectory() && /^[0-9a-f]{1,16}$/.test(item.name) ? [item.name] : []))
}

/** Batches from one position to another, each once, in order; of a file that is damaged another server's is read. Rejects with DELOS_ARCHIVE_INVALID. */
export async function* readArchive({ files }: Archive, from: number, to: number): AsyncGenerator<LogletEntry> {
  for (let next = from; next <= to;) {
    const holders = holdersOf(files, next)
    if (holders.length === 0) throw new MusterError('DELOS_ARCHIVE_INVALID', `position ${next} is in no file of the archive`)
    let problem: unknown = null
    for (const holder of holders) {
      const bytes = await readWhole(join(holder.dir, holder.file), holder).catch((error: unknown) => {
        problem = error
        return null
      })
      if (bytes === null) continue
      const before = next
      for (const entry of entriesOf(bytes, next, Math.min(to, holder.last))) {
        yield entry
        next = entry.position + 1
      }
      problem = next > before ? null : new MusterError('DELOS_ARCHIVE_INVALID', `${holder.file} does not hold position ${next}`)
      if (problem === null) break
    }
    if (problem !== null) throw problem
  }
}

/** The same, of one server's folder. */
export function readSpan(dir: string, files: readonly ArchiveFile[], from: number, to: number): AsyncGenerator<LogletEntry> {
  return readArchive({ manifests: [], files: files.map((file) => ({ ...file, dir })), spans: [] }, from, to)
}

/** The bytes that count, checked. */
async function readWhole(path: string, { bytes, sha256 }: ArchiveFile): Promise<Buffer> {
  const found = (
    await readFile(path).catch((cause: NodeJS.ErrnoException) => {
      throw new MusterError('DELOS_ARCHIVE_INVALID', `${path} cannot be read (${cause.code})`, { cause })
    })
  ).subarray(0, bytes)
  if (found.length < bytes || createHash('sha256').update(found).digest('hex') !== sha256)
    throw new MusterError('DELOS_ARCHIVE_INVALID', `${path} is damaged: its SHA-256 is not what the manifest says`)
  return found
}

function* entriesOf(bytes: Uint8Array, from: number, to: number): Generator<LogletEntry> {
  for (let offset = SEGMENT_HEADER_BYTES; offset < bytes.length;) {
    const record = readRecord(bytes, offset)
    if (record === null) return
    offset = record.end
    if (record.kind !== KIND.batch || record.position + record.count <= from) continue
    for (const [i, payload] of batchEntries(bytes, record).entries()) {
      const position = record.position + i
      if (position > to) return
      if (position >= from) yield { position, payload }
    }
  }
}
