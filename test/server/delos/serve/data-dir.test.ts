import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { MusterError } from '../../../../src/core/kernel/errors.ts'
import { holdDataDir, tokenKey } from '../../../../src/server/delos/serve/data-dir.ts'
import type { ServeOptions } from '../../../../src/server/delos/serve/options.ts'

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
})

const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'muster-data-'))
  dirs.push(dir)
  return dir
}
const of = (clusterId: bigint, id = 1n, count = 1): ServeOptions =>
  ({ clusterId, self: { id, name: 'a', peerUrls: [] }, members: Array.from({ length: count }, () => ({})) }) as unknown as ServeOptions
const codeOf = (work: () => unknown): string => {
  try {
    work()
    return ''
  } catch (error) {
    return error instanceof MusterError ? error.code : String(error)
  }
}

it('one server uses a data directory at a time', () => {
  const dir = newDir()
  const hold = holdDataDir(dir, of(7n))
  expect(codeOf(() => holdDataDir(dir, of(7n)))).toBe('SERVER_RUNNING')
  hold.release()
  holdDataDir(dir, of(7n)).release()
})

it.each([
  ['another cluster', of(8n)],
  ['another server', of(7n, 2n)],
  ['a cluster of several, though it was alone', of(7n, 1n, 3)],
])('a directory is not used by %s, and stays as it was', (_name, other) => {
  const dir = newDir()
  holdDataDir(dir, of(7n)).release()
  const before = readFileSync(join(dir, 'server.json'), 'utf8')
  expect(codeOf(() => holdDataDir(dir, other))).toBe('DELOS_WRONG_CLUSTER')
  expect(readFileSync(join(dir, 'server.json'), 'utf8')).toBe(before)
  holdDataDir(dir, of(7n)).release()
})

it('a directory of a newer version is left alone', () => {
  const dir = newDir()
  writeFileSync(join(dir, 'server.json'), '{"format":2}')
  expect(codeOf(() => holdDataDir(dir, of(7n)))).toBe('STATE_NEWER')
})

it('the key of tokens is made once', () => {
  const dir = newDir()
  expect(tokenKey(dir)).toEqual(tokenKey(dir))
  expect(tokenKey(dir)).toHaveLength(32)
})
