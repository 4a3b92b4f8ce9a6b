import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecentSamples, sampleLines } from '../../../src/server/scuba/leaf/recent-samples.ts'

const HASH = '00000000deadbeef'
const line = (time: number, series = HASH, more: object = {}): string => JSON.stringify({ time, name: 'x', series, ...more })
const bodyOf = (...lines: string[]): Buffer => Buffer.from(lines.map((each) => `${each}\n`).join(''))
const timesOf = (body: Buffer): number[] =>
  body
    .toString()
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((each) => (JSON.parse(each) as { time: number }).time)

test('a sample that is stored is not added again, and one whose batch failed is', async () => {
  const samples = new RecentSamples()
  const send = async (done: Promise<unknown>, ...times: number[]): Promise<number[]> => {
    const body = bodyOf(...times.map((time) => line(time)))
    const fresh = samples.fresh(body, sampleLines(body))
    samples.follow(fresh.samples, done, 0)
    await setImmediate()
    return timesOf(fresh.body)
  }
  expect(await send(Promise.resolve(), 1, 2, 2)).toEqual([1, 2])
  expect(await send(Promise.reject(new Error('disk')), 2, 3)).toEqual([3])
  expect(await send(Promise.resolve(), 1, 3, 4)).toEqual([3, 4])
  // While it is not known whether they are stored, they are waited for.
  const disk = Promise.withResolvers<void>()
  expect(await send(disk.promise, 5)).toEqual([5])
  const again = sampleLines(bodyOf(line(5)))
  const wait = samples.pending(again)
  expect(wait).not.toBeNull()
  expect(samples.pending(sampleLines(bodyOf(line(6))))).toBeNull()
  disk.resolve()
  await wait
  expect(samples.pending(again)).toBeNull()
  expect(await send(Promise.resolve(), 5)).toEqual([])
})

test('samples are forgotten after three minutes at most, and not before a minute and a half', async () => {
  const samples = new RecentSamples()
  const isKnown = (time: number): boolean => samples.fresh(bodyOf(line(time)), sampleLines(bodyOf(line(time)))).samples.size === 0
  const store = async (time: number, nowMs: number): Promise<void> => {
    samples.follow(new Set([`${HASH}${time}`]), Promise.resolve(), nowMs)
    await setImmediate()
  }
  await store(1, 0)
  await store(2, 89_999)
  await store(3, 179_999)
  expect([isKnown(1), isKnown(2), isKnown(3)]).toEqual([true, true, true])
  await store(4, 270_000)
  expect([isKnown(1), isKnown(2), isKnown(3), isKnown(4)]).toEqual([false, false, true, true])
})

test('only what two lines say of themselves alone makes them one sample: whatever else rows hold, none is dropped for it', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom<unknown>(HASH, `,"series":"${HASH}"`, `{"series":"${HASH}"}`, `\\","series":"${HASH}`, 1, true, null),
      fc.string(),
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('series', 'time', 'a', `x,"series":"${HASH}`), tie('value'), { maxKeys: 3 }),
    ),
  })).value
  const row = fc.record(
    {
      time: fc.integer({ min: 0, max: 3 }),
      series: fc.constantFrom<unknown>(HASH, 'fedcba9876543210', 'short', 5),
      a: value,
      'x,"series":"': value,
    },
    { requiredKeys: ['a'] },
  )
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
      const body = bodyOf(...rows.map((each) => JSON.stringify(each)))
      const { body: fresh } = new RecentSamples().fresh(body, sampleLines(body))
      const kept = fresh.toString().trim().split('\n')
      const sampleOf = (text: string): string => {
        const { time, series } = JSON.parse(text) as { time: unknown; series: unknown }
        return JSON.stringify([time, series])
      }
      const seen = new Set(kept.map(sampleOf))
      for (const each of rows) expect(seen.has(sampleOf(JSON.stringify(each)))).toBe(true)
    }),
    { numRuns: 300 },
  )
})
