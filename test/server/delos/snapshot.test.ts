import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create, extract } from 'tar'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { statePaths, type StatePaths } from '../../../src/platform/paths.ts'
import { restoreSnapshot } from '../../../src/server/delos/snapshot/restore.ts'
import { openDelosServer, type DelosServer } from './delos-server.ts'

let server: DelosServer
let file: string
beforeEach(async () => {
  server = await openDelosServer()
  file = join(server.dir, 'a.snapshot')
})
afterEach(() => server.close())

const put = (key: string, value: string): Promise<{ data: { revision: number } }> => server.client.call('delos.kv.put', { key, value })
const save = (): Promise<{ data: { logs: Record<string, { tail: number }> } }> => server.client.call('delos.snapshot.save', { file })
const pathsIn = (name: string): StatePaths => statePaths(name, { MUSTER_STATE_DIR: join(server.dir, name) })
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => '',
    (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
  )
/** Every key with its revision, of a server that runs on these paths. */
async function keysOf(of: DelosServer): Promise<unknown> {
  return (await of.client.call<{ kvs: unknown }>('delos.kv.get', { key: '', isPrefix: true, limit: 10_000 })).data.kvs
}

test('a snapshot saved under load, restored elsewhere, holds everything that was acknowledged before it', { timeout: 60_000 }, async () => {
  mkdirSync(join(server.paths.artifacts, 'blobs', 'sha256'), { recursive: true })
  writeFileSync(join(server.paths.artifacts, 'blobs', 'sha256', 'abc'), 'blob')
  let [writes, isEnding] = [0, false]
  const load = (async () => {
    while (!isEnding) {
      await put(`k${writes % 50}`, `${writes}-${'x'.repeat(2000)}`)
      writes += 1
    }
  })()
  while (writes < 300) await new Promise((resolve) => setTimeout(resolve, 5))
  const acknowledged = writes
  const { data } = await save()
  isEnding = true
  await load
  expect(data.logs['kv']?.tail).toBeGreaterThan(acknowledged)

  const paths = pathsIn('restored')
  expect(await restoreSnapshot(paths, file)).toMatchObject({ logs: data.logs })
  expect(readFileSync(join(paths.artifacts, 'blobs', 'sha256', 'abc'), 'utf8')).toBe('blob')
  const restored = await openDelosServer(paths.root)
  const found = (await keysOf(restored)) as { mod_revision: number }[]
  // Entry n of this log is revision n + 1.
  expect(Math.max(...found.map((kv) => kv.mod_revision))).toBe(data.logs['kv']?.tail)
  const before = await keysOf(restored)
  await restored.stop()
  for (const suffix of ['', '-wal', '-shm']) rmSync(restored.paths.kvDb + suffix, { force: true })
  await restored.start()
  expect(await keysOf(restored)).toEqual(before)
  await restored.close()
  expect(readdirSync(server.paths.root).filter((name) => name.startsWith('snapshot-'))).toEqual([])
})

test('a restore is refused over a state, beside a running server, and from a file that is not whole', async () => {
  await put('a', '1')
  await save()
  expect(await codeOf(save())).toBe('USAGE')
  expect(await codeOf(restoreSnapshot(server.paths, file))).toBe('DELOS_STATE_NOT_EMPTY')
  expect(await codeOf(restoreSnapshot(pathsIn('x'), join(server.dir, 'nothing')))).toBe('FILE_UNREADABLE')

  const bytes = readFileSync(file)
  const refusals: string[] = []
  for (const length of [0, 1, 100, Math.floor(bytes.length / 2), bytes.length - 1]) {
    writeFileSync(file, bytes.subarray(0, length))
    refusals.push(await codeOf(restoreSnapshot(pathsIn('x'), file)))
  }
  expect(refusals).toEqual(Array.from({ length: 5 }, () => 'DELOS_SNAPSHOT_INVALID'))
  expect(existsSync(pathsIn('x').stateDb)).toBe(false)
  expect(existsSync(pathsIn('x').log)).toBe(false)
  writeFileSync(file, bytes)
  expect(await codeOf(restoreSnapshot(pathsIn('x'), file))).toBe('')
})

test('a snapshot whose files were changed, added to, or that a newer version wrote is refused', async () => {
  await put('a', '1')
  await save()
  const unpacked = join(server.dir, 'unpacked')
  const attempt = async (change: (dir: string) => void): Promise<string> => {
    rmSync(unpacked, { recursive: true, force: true })
    mkdirSync(unpacked)
    await extract({ file, cwd: unpacked })
    change(unpacked)
    const changed = join(server.dir, 'changed.snapshot')
    await create({ file: changed, cwd: unpacked, gzip: true }, readdirSync(unpacked))
    return codeOf(restoreSnapshot(pathsIn('y'), changed))
  }
  const edit = (dir: string, change: (manifest: { format: number; logs: { kv: { tail: number } } }) => void): void => {
    const at = join(dir, 'manifest.json')
    const manifest = JSON.parse(readFileSync(at, 'utf8'))
    change(manifest)
    writeFileSync(at, JSON.stringify(manifest))
  }
  expect(await attempt((dir) => writeFileSync(join(dir, 'format.json'), '{}'))).toBe('DELOS_SNAPSHOT_INVALID')
  expect(await attempt((dir) => writeFileSync(join(dir, 'kv.db'), 'other'))).toBe('DELOS_SNAPSHOT_INVALID')
  expect(await attempt((dir) => edit(dir, (manifest) => (manifest.logs.kv.tail += 1)))).toBe('DELOS_SNAPSHOT_INVALID')
  expect(await attempt((dir) => edit(dir, (manifest) => (manifest.format = 2)))).toBe('STATE_NEWER')
  expect(await attempt(() => undefined)).toBe('')
})
