import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sloFileSchema } from '../../../src/core/scuba/slo/file.ts'
import { ServiceTrack } from '../../../src/server/scuba/slo/service-track.ts'
import { testSlo } from '../../../src/server/scuba/slo/test-slo.ts'
import { Leaf } from './leaf.ts'

/** Objectives measured on a real leaf: rows of the past, as times are the rows' own. */
const leaf = new Leaf()
const UTC = { tz: 'UTC', version: '', transitions: [{ atMs: 0, offsetSec: 0 }] }
const END = Math.floor(Date.now() / 60_000) * 60_000 - 120_000
const FROM = END - 40 * 60_000
const file = sloFileSchema.parse({
  service: 'feed',
  objectives: [
    { availability: '99.95%', good: "status < 500 and reason <> 'timeout'" },
    { latency: 'p99 <= 200 ms' },
    { error_rate: '< 0.1%' },
  ],
})

/** Twenty requests a bucket; in the newest five minutes a half fail, of which two in ten by breaking off. */
function rows(fromMs: number, toMs: number): object[] {
  const found: object[] = []
  for (let at = fromMs; at < toMs; at += 500) {
    const i = Math.floor(at / 500)
    const isBad = at >= END - 300_000 && i % 2 === 0
    const isBroken = isBad && i % 10 === 0
    found.push({
      time: at,
      service: 'feed',
      status: isBad && !isBroken ? 503 : 200,
      reason: isBroken ? 'timeout' : '',
      latency_ms: i % 4 === 0 ? 350 : 20,
    })
  }
  return found
}

const settled = async (track: ServiceTrack, asOfMs: number): Promise<void> => {
  for (let round = 0; round < 250; round += 1) {
    await track.look(asOfMs, asOfMs + 1000, UTC, [])
    if (track.evaluations.get('availability')?.isWhole) return
    await sleep(20)
  }
  throw new Error(`never whole: ${track.failure}`)
}

beforeAll(async () => {
  await leaf.start()
  await leaf.client.send('requests', rows(FROM, END))
})
afterAll(() => leaf.remove())

test('objectives of a service that is new are measured from the rows it has, back to the first one', async () => {
  const track = new ServiceTrack(leaf.client, { file, version: 1, setAtMs: 0, setBy: 'user:test' })
  await settled(track, END)
  const found = track.evaluations.get('availability')
  expect(found).toMatchObject({ dataFromMs: FROM, now: { tier: 'fast', sev: 2 }, budget: { total: 4800, bad: 300 } })
  expect(track.evaluations.get('error-rate')?.budget.bad).toBe(240)
  expect(track.evaluations.get('latency')?.budget.bad).toBe(1200)
})

test('each bucket stands in muster_slo once, and a server that comes new goes on from there without the rows', async () => {
  const counted = async () =>
    (await leaf.client.query('select sli, count(*), count(distinct time), sum(total) from muster_slo group by sli order by sli')).rows
  const before = await counted()
  expect(before).toHaveLength(3)
  for (const [, rowCount, distinct, total] of before) expect([rowCount, distinct, total]).toEqual([240 - 6, 240 - 6, 4800 - 120])
  const next = new ServiceTrack(leaf.client, { file, version: 2, setAtMs: 0, setBy: 'user:test' })
  await settled(next, END)
  expect(next.evaluations.get('availability')?.budget).toMatchObject({ total: 4800, bad: 300 })
  // The minute that was still open is written when its time is over, and nothing a second time.
  await next.look(END + 60_000, END + 61_000, UTC, [])
  for (const [, rowCount, distinct, total] of await counted()) expect([rowCount, distinct, total]).toEqual([240, 240, 4800])
})

test('rows that come late by less than a minute count; a leaf that is away leaves the objective as it was', async () => {
  const track = new ServiceTrack(leaf.client, { file, version: 3, setAtMs: 0, setBy: 'user:test' })
  await settled(track, END + 60_000)
  const before = track.evaluations.get('availability')?.budget.total ?? 0
  await leaf.client.send('requests', [{ time: END + 50_000, service: 'feed', status: 200, reason: '', latency_ms: 1 }])
  await track.look(END + 65_000, END + 66_000, UTC, [])
  expect(track.evaluations.get('availability')?.budget.total).toBe(before + 1)
  await leaf.end('SIGKILL')
  await track.look(END + 70_000, END + 71_000, UTC, [])
  expect(track.failure).not.toBeNull()
  expect(track.evaluations.get('availability')?.asOfMs).toBe(END + 65_000)
  await leaf.start()
})

test('a file is tried on past rows: when it would have burned, and what it would show', async () => {
  const tried = await testSlo(leaf.client, { file, sinceMs: 0, untilMs: END }, END)
  expect(tried.sinceMs).toBe(FROM)
  const [burn] = tried.burns.filter(({ objective }) => objective === 'availability')
  expect(burn).toMatchObject({ sev: 2, fromMs: END - 290_000, toMs: END })
  expect(tried.objectives[0]).toMatchObject({ state: 'burning', budget: { bad: 300 } })
})
