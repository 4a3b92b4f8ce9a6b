import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
afterAll(() => leaf.remove())

const ROUNDS = 12

test(
  'kill -9 during ingest: every acknowledged row is there exactly once, also those sent again under their key',
  { timeout: 240_000 },
  async () => {
    const random = createPrng(7)
    const acknowledged = new Set<number>()
    let next = 0
    let unsure: { key: string; ids: number[] }[] = []
    const send = async (batch: { key: string; ids: number[] }): Promise<boolean> => {
      const rows = batch.ids.map((id) => ({ id, service: 'web', status: id % 50 === 0 ? 500 : 200, text: 'x'.repeat(id % 97) }))
      try {
        await leaf.client.send('acked', rows, { key: batch.key })
        for (const id of batch.ids) acknowledged.add(id)
        return true
      } catch {
        return false
      }
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      await leaf.start(round % 4 === 3)
      // What was in flight when it died is sent again under the same key: it may or may not have been kept.
      const again = unsure
      unsure = []
      for (const batch of again) if (!(await send(batch))) unsure.push(batch)
      const senders = Array.from({ length: 3 }, async () => {
        for (;;) {
          const size = 1 + random.below(40)
          const ids = Array.from({ length: size }, () => (next += 1))
          const batch = { key: `k${ids[0]}`, ids }
          if (await send(batch)) continue
          unsure.push(batch)
          return
        }
      })
      // Some rounds seal in the middle, so that kills hit the swap from chunks to a segment too.
      if (round % 4 === 3) void leaf.seal('acked').catch(() => undefined)
      await sleep(30 + random.below(120))
      await leaf.end('SIGKILL')
      await Promise.all(senders)
    }
    await leaf.start()
    for (const batch of unsure) expect(await send(batch)).toBe(true)
    const { rows } = await leaf.client.query('select count(*), count(distinct id), min(id), max(id) from acked')
    expect(acknowledged.size).toBeGreaterThan(ROUNDS)
    expect(rows).toEqual([[next, next, 1, next]])
    expect(acknowledged.size).toBe(next)
  },
)
