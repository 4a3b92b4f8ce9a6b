import { expect, test } from 'vitest'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import type { Store } from '../../../src/server/scuba/leaf/store.ts'
import { OwnYet } from '../../../src/server/scuba/replica/own-yet.ts'

const current = registrySchema.parse({
  version: 1,
  tables: { copied: { version: 1, replicas: 2 }, single: { version: 1 } },
  shards: [{ id: 'a', epoch: 1, primary: 'a', sinceMs: 0 }],
})
const parts = (registry = current): Pick<Store, 'registry' | 'staysInBatches'> => ({
  registry: { current: registry } as Store['registry'],
  staysInBatches: () => false,
})

test('rows of replicated tables are not sealed until a server has looked for long enough to have told of a newer map', () => {
  const own = new OwnYet(parts(), () => false)
  expect(own.holdsBack('single', 0)).toBe(false)
  expect(own.holdsBack('copied', 0)).toBe(true)
  own.seen(1000)
  expect(own.holdsBack('copied', 1500)).toBe(true)
  own.seen(3000)
  expect(own.holdsBack('copied', 4100)).toBe(false)
  // Nobody looks any more, then somebody does.
  expect(own.holdsBack('copied', 50_000)).toBe(true)
  own.seen(60_000)
  expect(own.holdsBack('copied', 61_000)).toBe(true)
  own.seen(62_000)
  expect(own.holdsBack('copied', 63_500)).toBe(false)
})

test('a copy that follows is enough, a leaf that is alone never waits, and none waits for ever', () => {
  let isFollowed = true
  const own = new OwnYet(parts(), () => isFollowed)
  expect(own.holdsBack('copied', 0)).toBe(false)
  isFollowed = false
  expect(own.holdsBack('copied', 1000)).toBe(true)
  expect(own.holdsBack('copied', 602_000)).toBe(false)
  expect(new OwnYet(parts({ ...current, shards: [] }), () => false).holdsBack('copied', 0)).toBe(false)
})
