import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start(false))
afterAll(() => leaf.remove())

test('a leaf keeps what it was told is declared, also over its death, and takes nothing older over it', async () => {
  const at = (version: number) =>
    registrySchema.parse({ version, tables: { orders: { version, coerce: true, columns: { amount: 'DOUBLE' } } } })
  expect(await leaf.client.putRegistry(at(7))).toEqual(at(7))
  await leaf.end('SIGKILL')
  await leaf.start(false)
  expect(await leaf.client.putRegistry(at(6))).toEqual(at(7))
  expect(await leaf.client.putRegistry(at(8))).toEqual(at(8))
})
