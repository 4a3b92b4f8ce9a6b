import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MusterError } from '../../core/kernel/errors.ts'
import { textOf } from '../../platform/streams.ts'
import type { Client } from '../client.ts'

/** What the server's blob store answers. */
export interface Artifact {
  /** `sha256:<hex>` */
  digest: string
  sizeBytes: number
}

/** Never part of a release: what version control keeps for itself. */
const LEFT_OUT: ReadonlySet<string> = new Set(['.git', '.hg', '.svn'])

/**
 * A directory as a gzipped tarball that is the same, byte for byte, whenever the files are: names sorted, no owners, no
 * times. Symbolic links are kept as links.
 */
export async function packDirectory(folder: string): Promise<AsyncIterable<Uint8Array>> {
  const files = listFiles(folder, '')
  if (files.length === 0) throw new MusterError('DEPLOY_SOURCE_INVALID', `${folder} is empty`)
  const { create } = await import('tar')
  // A name that begins with @ means an archive to include: ./ in front makes it a plain file.
  const packed = create(
    { cwd: folder, gzip: true, portable: true, noDirRecurse: true, mtime: new Date(0) },
    files.map((file) => `./${file}`),
  )
  return packed
}

function listFiles(folder: string, prefix: string): string[] {
  const names = readdirSync(join(folder, prefix))
    .filter((name) => !LEFT_OUT.has(name))
    .toSorted()
  return names.flatMap((name) => {
    const path = prefix === '' ? name : `${prefix}/${name}`
    return lstatSync(join(folder, path)).isDirectory() ? [path, ...listFiles(folder, path)] : [path]
  })
}

/** Sends bytes to the blob store of the context; resolves when they are on its disk. */
export async function uploadArtifact(client: Client, bytes: AsyncIterable<Uint8Array>): Promise<Artifact> {
  const response = await client.request('POST', '/v1/artifacts', { headers: { 'content-type': 'application/octet-stream' }, body: bytes })
  const answer = JSON.parse(await textOf(response)) as { ok: boolean; data: Artifact; error?: { message: string } }
  if (!answer.ok) throw new MusterError('UNAVAILABLE', answer.error?.message ?? 'the artifact could not be stored')
  return answer.data
}
