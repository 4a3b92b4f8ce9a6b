import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tar from 'tar'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ArtifactStore } from '../../src/agent/artifacts.ts'
import { localWay } from '../../src/agent/server-way.ts'
import { FakeServer } from './harness.ts'

describe('the artifact store of a node', () => {
  let root: string
  let server: FakeServer
  let store: ArtifactStore

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'mu-artifact-'))
    server = new FakeServer(join(root, 'server.sock'))
    await server.start()
    store = new ArtifactStore(join(root, 'store'), localWay(server.socket))
  })
  afterEach(() => {
    server.stop()
    rmSync(root, { recursive: true, force: true })
  })

  const serve = (bytes: Buffer, hex = createHash('sha256').update(bytes).digest('hex')): string => {
    server.artifacts.set(hex, bytes)
    return `sha256:${hex}`
  }

  async function archive(
    make: (folder: string) => void,
    options: { gzip?: boolean; paths?: string[]; preservePaths?: boolean } = {},
  ): Promise<Buffer> {
    const folder = mkdtempSync(join(root, 'source-'))
    make(folder)
    const file = join(root, 'source.tar')
    await tar.c({ file, cwd: folder, gzip: options.gzip ?? false, preservePaths: options.preservePaths ?? false }, options.paths ?? ['.'])
    return readFileSync(file)
  }

  it('unpacks plain and gzipped tars, once for all who ask at the same time', async () => {
    for (const gzip of [false, true]) {
      const bytes = await archive(
        (folder) => {
          mkdirSync(join(folder, 'lib'))
          writeFileSync(join(folder, 'lib/a.txt'), `a${gzip}`)
          symlinkSync('lib/a.txt', join(folder, 'link'))
        },
        { gzip },
      )
      const digest = serve(bytes)
      const folders = await Promise.all([store.ensure(digest, '1'), store.ensure(digest, '2')])
      expect(new Set(folders).size).toBe(1)
      expect(readFileSync(join(folders[0] ?? '', 'link'), 'utf8')).toBe(`a${gzip}`)
    }
  })

  it('refuses bytes that do not match their digest, and leaves nothing of them (I6)', async () => {
    const bytes = await archive((folder) => writeFileSync(join(folder, 'a'), 'a'))
    const digest = serve(bytes, '0'.repeat(64))
    await expect(store.ensure(digest, '1')).rejects.toMatchObject({ code: 'TW_ARTIFACT' })
    expect(readdirSync(join(root, 'store'))).toEqual([])
  })

  it('refuses entries and links that lead out of the folder, and what is not an archive (I6)', async () => {
    const outside = await archive((folder) => mkdirSync(join(folder, 'd')), { preservePaths: true, paths: ['/etc/hostname'] })
    const upwards = await archive((folder) => writeFileSync(join(folder, '../escape'), 'x'), { preservePaths: true, paths: ['../escape'] })
    const absolute = await archive((folder) => symlinkSync('/etc/passwd', join(folder, 'link')))
    const link = await archive((folder) => symlinkSync('../../etc', join(folder, 'link')))
    for (const bytes of [outside, upwards, absolute, link, Buffer.from('no archive at all'), Buffer.alloc(0)]) {
      await expect(store.ensure(serve(bytes), '1')).rejects.toMatchObject({ code: 'TW_ARTIFACT' })
    }
    expect(readdirSync(join(root, 'store'))).toEqual([])
  })

  it('works without a server for what is there, and says UNAVAILABLE, not wrong, for what is not', async () => {
    const digest = serve(await archive((folder) => writeFileSync(join(folder, 'a'), 'a')))
    await store.ensure(digest, '1')
    server.stop()
    rmSync(server.socket, { force: true })
    expect(existsSync(join(await store.ensure(digest, '2'), 'a'))).toBe(true)
    await expect(store.ensure(`sha256:${'1'.repeat(64)}`, '3')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('removes what no task holds, and only that', async () => {
    const kept = serve(await archive((folder) => writeFileSync(join(folder, 'a'), 'kept')))
    const dropped = serve(await archive((folder) => writeFileSync(join(folder, 'a'), 'dropped')))
    await store.ensure(kept, '1')
    await store.ensure(dropped, '2')
    store.release('2')
    expect(store.collect()).toEqual([dropped.slice(7)])
    expect([existsSync(store.folder(kept)), existsSync(store.folder(dropped))]).toEqual([true, false])
  })
})
