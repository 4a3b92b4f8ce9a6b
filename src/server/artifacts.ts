import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FastifyInstance } from 'fastify'
import { refuse } from '../core/kernel/errors.ts'
import { isDiskFull } from '../platform/files.ts'

/** The one store of bytes for releases and images: files named by their SHA-256, visible only when whole and synced. */
export interface ArtifactStore {
  /** Takes a stream; resolves when the blob is on disk. */
  put: (source: Readable) => Promise<{ digest: string; sizeBytes: number }>
  /** Path of a blob, or null. `digest` is `sha256:<hex>`. */
  path: (digest: string) => string | null
  /** The same, wherever in the fleet it is: it is here then. */
  find: (digest: string) => Promise<string | null>
}

const ARTIFACT_BYTES_MAX = 10 * 1024 ** 3

export function openArtifacts(root: string): ArtifactStore {
  const uploads = join(root, 'uploads')
  const blobs = join(root, 'blobs', 'sha256')
  // A partial upload of an earlier run can never be completed: nobody knows its hash state.
  rmSync(uploads, { recursive: true, force: true })
  mkdirSync(uploads, { recursive: true })
  mkdirSync(blobs, { recursive: true })
  const pathOf = (hex: string): string => join(blobs, hex.slice(0, 2), hex)
  const path = (digest: string): string | null => {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
    return hex && existsSync(pathOf(hex)) ? pathOf(hex) : null
  }
  return {
    put: async (source) => {
      const upload = join(uploads, randomUUID())
      const hash = createHash('sha256')
      let sizeBytes = 0
      try {
        await pipeline(
          source,
          async function* (chunks: AsyncIterable<Buffer>) {
            for await (const chunk of chunks) {
              sizeBytes += chunk.length
              if (sizeBytes > ARTIFACT_BYTES_MAX) throw refuse('USAGE', 'an artifact is at most 10 GiB')
              hash.update(chunk)
              yield chunk
            }
          },
          createWriteStream(upload, { flags: 'wx', mode: 0o600 }),
        )
        await syncFile(upload)
        const hex = hash.digest('hex')
        const target = pathOf(hex)
        mkdirSync(dirname(target), { recursive: true })
        renameSync(upload, target)
        await syncFile(dirname(target))
        return { digest: `sha256:${hex}`, sizeBytes }
      } catch (error) {
        rmSync(upload, { force: true })
        if (isDiskFull(error)) throw refuse('DISK_FULL', 'the artifact does not fit on the disk', { cause: error })
        throw error
      }
    },
    path,
    find: async (digest) => path(digest),
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}

/** `POST /v1/artifacts` (the bytes) → `{digest, sizeBytes}`; `GET /v1/artifacts/sha256/<hex>` → the bytes. */
export function artifactRoutes(app: FastifyInstance, store: ArtifactStore): void {
  app.register(async (scope) => {
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    scope.post('/v1/artifacts', { bodyLimit: ARTIFACT_BYTES_MAX }, async (request) => {
      if (!request.body) throw refuse('USAGE', 'the body is empty: send the bytes of the artifact')
      return { ok: true, data: await store.put(request.body as Readable) }
    })
  })
  app.get<{ Params: { hex: string } }>('/v1/artifacts/sha256/:hex', async (request, reply) => {
    const path = await store.find(`sha256:${request.params.hex}`)
    if (!path) throw refuse('TW_ARTIFACT', `there is no artifact sha256:${request.params.hex}`)
    return reply.header('content-length', statSync(path).size).type('application/octet-stream').send(createReadStream(path))
  })
}
