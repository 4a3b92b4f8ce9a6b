import { expect, test } from 'vitest'
import { LiveAggregate } from '../../../src/core/scuba/live/aggregate.ts'
import type { ScubaClient } from '../../../src/server/scuba/client.ts'
import { seenSince } from '../../../src/server/following/seen-since.ts'

test('what was before a server took the lead counts as not known, what came since as the leaf says', async () => {
  const live = new LiveAggregate()
  const leaf = {
    live: async ({ service, fromMs, toMs }: { service: string; fromMs: number; toMs?: number }) =>
      live.read(service, fromMs, toMs ?? null, 100_000),
  } as unknown as ScubaClient
  const seen = seenSince(leaf, 90_000)
  const coverage = async (fromMs: number, toMs?: number): Promise<number> =>
    (await seen.live({ table: 'requests', service: 'web', fromMs, ...(toMs === undefined ? {} : { toMs }) })).coverage
  expect(await coverage(80_000)).toBe(0.5)
  expect(await coverage(50_000, 60_000)).toBe(0)
  expect(await coverage(90_000)).toBe(1)
  live.markIncompleteBefore(95_000)
  expect(await coverage(90_000)).toBe(0.5)
})
