import { expect, test } from 'vitest'
import {
  bandOf,
  markDetails,
  positionsOf,
  rangeOf,
  scaleOf,
  spoken,
  ticksOf,
  type ChainLog,
  type ChainMark,
} from '../../src/web/log/chain-band.ts'

type Segment = ChainLog['segments'][number]

const segment = (loglet: string, kind: string, first: number, end: number | null, moved: Segment['moved'] = null): Segment => ({
  ...{ loglet, kind, where: 'a file of a', first, end, batchFirst: first, batchEnd: end, moved },
})
const log = (segments: Segment[], tail: number): ChainLog => ({
  ...{ log: 'control', version: segments.length, head: segments[0]?.first ?? 1, tail, segments, skips: [], lastGapMs: null },
})
const mark = (id: string, from: number, to: number | null): ChainMark => ({
  ...{ kind: 'incident', id, title: `SEV2 ${id}`, state: 'open', from, to, at: 0 },
})

const two = log([segment('00000001', 'file', 1, 501), segment('00000002', 'quorum', 501, null, { at: 0, actor: 'user:anna' })], 1001)

test('a position has its place on the axis by its share of the range', () => {
  const scale = scaleOf({ from: 100, to: 200 }, 1000)
  expect([scale(100), scale(150), scale(200)]).toEqual([0, 500, 1000])
})

test('the segments of a chain stand side by side over the whole axis, and the open one has room for what comes', () => {
  const range = rangeOf(two, 'all')
  expect(range).toEqual({ from: 1, to: 1081 })
  const { segments, switches } = bandOf(two, [], range, 1080)
  expect(segments.map(({ x, width, isOpen }) => [x, width, isOpen])).toEqual([
    [0, 498, false],
    [500, 580, true],
  ])
  expect(segments.map(({ label }) => label)).toEqual(['file 00000001 · sealed', 'quorum 00000002 · open'])
  expect(switches.map(({ x, details }) => [x, details.title])).toEqual([[500, 'file 00000001 → quorum 00000002']])
  expect(switches[0]?.details.rows).toContainEqual({ name: 'by', value: 'user:anna' })
})

test('a segment of nothing or of one position among millions can still be seen, hit, and is inside', () => {
  const chain = log(
    [segment('1', 'file', 1, 2), segment('2', 'file', 2, 2), segment('3', 'etcd', 2, 5_000_000), segment('4', 'file', 5_000_000, null)],
    5_000_000,
  )
  const { segments } = bandOf(chain, [], rangeOf(chain, 'all'), 360)
  expect(segments).toHaveLength(4)
  for (const { x, width } of segments) {
    expect(width).toBeGreaterThanOrEqual(4)
    expect(x).toBeGreaterThanOrEqual(0)
    expect(x + width).toBeLessThanOrEqual(360)
  }
})

test('a zoom shows the end of the log alone: what is before it is left out, what reaches into it is cut', () => {
  const range = rangeOf(two, '100')
  expect(range).toEqual({ from: 901, to: 1009 })
  const { segments, switches } = bandOf(two, [mark('1', 100, 120), mark('2', 890, 950)], range, 540)
  expect(segments.map(({ kind, x }) => [kind, x])).toEqual([['quorum', 0]])
  expect(switches).toEqual([])
  expect(bandOf(two, [mark('1', 100, 120), mark('2', 890, 950)], range, 540).marks.map(({ key, x }) => [key, x])).toEqual([
    ['incident-2', 0],
  ])
})

test('marks that overlap lie in lanes of their own, those after each other share one, and one that goes on ends with the axis', () => {
  const range = rangeOf(two, 'all')
  const { marks, lanes } = bandOf(two, [mark('a', 1, 400), mark('b', 100, null), mark('c', 500, 600)], range, 1080)
  expect(marks.map(({ key, lane, isOpen }) => [key, lane, isOpen])).toEqual([
    ['incident-a', 0, false],
    ['incident-b', 1, true],
    ['incident-c', 0, false],
  ])
  expect(lanes).toBe(2)
  expect(marks[1]).toMatchObject({ x: 99, width: 981 })
})

test('more overlapping marks than lanes share the last one', () => {
  const many = Array.from({ length: 20 }, (_, i) => mark(String(i), 1 + i, null))
  expect(bandOf(two, many, rangeOf(two, 'all'), 1080).lanes).toBe(6)
})

test('ticks are round, in the range, and have room for their labels', () => {
  for (const range of [
    { from: 1, to: 3 },
    { from: 1, to: 1081 },
    { from: 123_456, to: 9_876_543 },
  ])
    for (const width of [240, 800, 1400]) {
      const ticks = ticksOf(range, width)
      expect(ticks.length).toBeGreaterThan(0)
      expect(ticks.length).toBeLessThanOrEqual(width / 60)
      expect(new Set(ticks.map(({ label }) => label)).size).toBe(ticks.length)
      for (const { x } of ticks) expect(x >= 0 && x <= width).toBe(true)
    }
})

test('what has the focus is said whole, with the command that tells more', () => {
  expect(spoken(markDetails(mark('12', 7, null)))).toMatch(
    /^incident #12: SEV2 12\. state open\. .*ended not yet\. more muster sev show 12$/,
  )
  expect(positionsOf({ first: 5, end: 5 })).toBe('none')
  expect(positionsOf({ first: 5, end: 1200 })).toBe('5 … 1,199')
})
