import { createReadStream, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { MusterError } from '../../core/kernel/errors.ts'
import { packDirectory, uploadArtifact } from './artifact.ts'
import type { Client } from '../client.ts'

/** What `deploy start --release` names, as the operation takes it. */
export type ReleaseSource = { release: string } | { artifact: string; label: string } | { job: Record<string, unknown>; label: string }

const ARCHIVE = /\.(tar|tar\.gz|tgz)$/
const JOB_FILE = /\.(ya?ml|json)$/

/**
 * A directory becomes a reproducible tarball and is uploaded, an archive is uploaded as it is, a job file is read; what is
 * not on the disk is taken for the name of an earlier release.
 * @throws MusterError DEPLOY_SOURCE_INVALID, TW_SPEC_INVALID
 */
export async function releaseSource(client: Client, text: string): Promise<ReleaseSource> {
  const stat = statSync(text, { throwIfNoEntry: false })
  if (!stat) {
    if (/^[a-z0-9][a-z0-9-]*-r\d+$/.test(text)) return { release: text }
    throw new MusterError('DEPLOY_SOURCE_INVALID', `${text} is neither on this disk nor the name of a release such as web-r3.`)
  }
  const label = basename(resolve(text))
  if (stat.isDirectory()) return { artifact: (await uploadArtifact(client, await packDirectory(text))).digest, label }
  if (stat.isFile() && ARCHIVE.test(text)) return { artifact: (await uploadArtifact(client, await checkedArchive(text))).digest, label }
  if (stat.isFile() && JOB_FILE.test(text)) {
    const { loadJobFile } = await import('./job-file.ts')
    return { job: loadJobFile(text).document, label }
  }
  throw new MusterError(
    'DEPLOY_SOURCE_INVALID',
    `${text} is neither a directory, a .tar, .tar.gz or .tgz archive, nor a job file (.yaml, .json).`,
  )
}

/** The archive's bytes, once its headers were read: a broken one is refused here, not on the nodes. */
async function checkedArchive(path: string): Promise<AsyncIterable<Uint8Array>> {
  const { list } = await import('tar')
  let files = 0
  try {
    await list({
      file: path,
      strict: true,
      onReadEntry: () => {
        files += 1
      },
    })
  } catch (cause) {
    throw new MusterError('DEPLOY_SOURCE_INVALID', `${path} is not a whole tar archive: ${(cause as Error).message}`, { cause })
  }
  if (files === 0) throw new MusterError('DEPLOY_SOURCE_INVALID', `${path} holds no files`)
  return createReadStream(path)
}
