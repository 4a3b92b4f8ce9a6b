import { expect, test } from 'vitest'
import { registrySchema, type Registry } from '../../../src/core/scuba/registry.ts'
import { RegistryTold } from '../../../src/server/scuba/registry-told.ts'

const at = (position: () => number): RegistryTold =>
  new RegistryTold((version): Registry => registrySchema.parse({ version: Math.max(position(), version) }))

test('each leaf is told once, and again when the registry changes or it works by another one', () => {
  let position = 10
  const told = at(() => position)
  const first = told.due('a', 0)
  expect(first?.version).toBe(10)
  if (first) told.took('a', first)
  expect(told.due('a', 10)).toBeNull()
  expect(told.due('b', 3)).toBe(first)
  // Its file was lost.
  expect(told.due('a', 0)).toBe(first)
  position = 11
  told.change()
  expect(told.due('a', 10)?.version).toBe(11)
})

test('what a leaf was told in another reign is not taken for that of now, whatever its version', () => {
  const told = at(() => 10)
  const first = told.due('a', 4)
  if (first) told.took('a', first)
  expect(told.due('b', 10)).toBe(first)
  // Of a reign that is over and does not know it yet.
  const next = told.due('b', 15)
  expect(next?.version).toBe(16)
  expect(told.due('a', 10)).toBe(next)
})
