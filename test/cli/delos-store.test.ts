import { describe, expect, test } from 'vitest'
import { permissionOf, permissionView, spanOf, spanText } from '../../src/cli/delos/permission.ts'
import { quantileOf, samplesOf } from '../../src/cli/delos/prometheus.ts'
import { storeViewOf, type ServerView } from '../../src/cli/delos/store-view.ts'
import { topFrameOf } from '../../src/cli/delos/top.ts'
import { hasTrouble, renderStoreStatus, skewText } from '../../src/cli/render/delos-store.ts'
import { renderTop, sorted, topLines } from '../../src/cli/render/delos-top.ts'
import { textWidth } from '../../src/cli/render/text.ts'
import { PLAIN } from '../../src/cli/terminal.ts'
import { NOW, pageOf, serverOf } from '../support/store-view.ts'

const three = (more: Partial<ServerView>[] = [{}, {}, {}]): ServerView[] =>
  ['a', 'b', 'c'].map((name, i) => serverOf(name, { role: name === 'b' ? 'leader' : 'voter', ...more[i] }))
const gone = { isReachable: false, role: 'voter', why: 'connect ECONNREFUSED', term: 0, position: 0, applied: 0, page: null } as const

describe('a store of three', () => {
  test('that is whole survives one failure, and names its leader', () => {
    const store = storeViewOf(three())
    expect(store.durability).toEqual({ class: 'quorum 3', voters: 3, survives: 1, survivesNow: 1 })
    expect(store.logs[0]).toMatchObject({ leader: 'b', loglet: 'quorum', term: 2, position: 100, revision: 90 })
    expect(hasTrouble(store)).toBe(false)
  })

  test('that has lost one survives none; why and since when come from who sees it', () => {
    const link = { id: 'id-c', reason: 'ECONNREFUSED', sinceMs: NOW - 9000, roundTripMs: null, clockSkewMs: null }
    const store = storeViewOf(three([{ page: pageOf('a', { links: [link] }) }, {}, gone]))
    expect(store.durability).toMatchObject({ survives: 1, survivesNow: 0 })
    expect(hasTrouble(store)).toBe(true)
    const text = renderStoreStatus(store, NOW, PLAIN)
    expect(text).toContain('✖ for 9s: connect ECONNREFUSED')
    expect(text).toContain('▲ quorum 3: survives 1 failure, none more from here on')
  })

  test('that has lost two has no majority, and a leader of an older term is none', () => {
    const store = storeViewOf(three([{ ...gone }, { ...gone }, {}]))
    expect(store.durability.survivesNow).toBe(-1)
    expect(renderStoreStatus(store, NOW, PLAIN)).toContain('✖ quorum 3: no majority is there, nothing can be changed')
    const torn = storeViewOf(three([{ term: 3, role: 'leader' }, { term: 2, role: 'leader' }, { term: 3 }]))
    expect(torn.logs[0]).toMatchObject({ leader: 'a', term: 3 })
    expect(torn.servers.map(({ role }) => role)).toEqual(['leader', 'voter', 'voter'])
  })

  test('tells what a server lacks, less what was written while the servers were asked', () => {
    const rates = { entriesPerS: 1000, batchesPerS: 1000, readsPerS: 0 }
    const at = (name: string, laterMs: number): Partial<ServerView> => ({
      page: pageOf(name, { now: NOW + laterMs, rates }),
      clockErrorMs: 1,
      clockSkewMs: 0,
    })
    const lagOf = (position: number, laterMs: number): number | null =>
      storeViewOf(three([{ position, applied: position, ...at('a', 0) }, at('b', laterMs), at('c', 0)])).servers[0]?.lag ?? null
    expect(lagOf(100, 0)).toBe(0)
    expect(lagOf(60, 50)).toBe(0)
    expect(lagOf(10, 20)).toBe(68)
  })

  test('shows the shortest gap that a server saw of the last change, by names', () => {
    const change = (gapMs: number, term = 2) => ({ at: NOW - 60_000, from: 'id-a', to: 'id-b', term, gapMs })
    const pages = [change(80), change(45), change(30, 1)].map((lastChange, i) => ({ page: pageOf('abc'.charAt(i), { lastChange }) }))
    expect(storeViewOf(three(pages)).logs[0]?.lastChange).toEqual({ at: NOW - 60_000, from: 'a', to: 'b', gapMs: 45 })
  })

  test('has one alarm each, however many servers tell it', () => {
    const store = storeViewOf(three([{ alarms: ['id-a NOSPACE'] }, { alarms: ['id-a NOSPACE'] }, { alarms: ['id-a NOSPACE'] }]))
    expect(store.alarms).toEqual([{ server: 'a', alarm: 'NOSPACE' }])
    expect(renderStoreStatus(store, NOW, PLAIN)).toContain('✖ NOSPACE of a')
  })
})

test('a clock is off only by more than the answer took', () => {
  expect(skewText({ clockSkewMs: 3, clockErrorMs: 5 })).toBe('< 5.00')
  expect(skewText({ clockSkewMs: -250.4, clockErrorMs: 5 })).toBe('-250')
  expect(skewText({ clockSkewMs: 12.34, clockErrorMs: 5 })).toBe('+12.3')
  expect(skewText({ clockSkewMs: null, clockErrorMs: null })).toBe('-')
})

describe("etcd's metrics", () => {
  const text =
    '# TYPE w histogram\nw_bucket{le="0.001"} 0\nw_bucket{le="0.002"} 50\nw_bucket{le="0.004"} 100\nw_bucket{le="+Inf"} 100\nw_count 100\nother{a="}"} 7\n'
  test('are read by name and labels', () => {
    expect(samplesOf(text).get('other{a="}"}')).toBe(7)
    expect(samplesOf(text).get('w_count')).toBe(100)
  })
  test('give quantiles within a bucket, as Prometheus has them', () => {
    expect(quantileOf(samplesOf(text), 'w', 0.25)).toBeCloseTo(0.0015)
    expect(quantileOf(samplesOf(text), 'w', 0.75)).toBeCloseTo(0.003)
    expect(quantileOf(samplesOf(text), 'nothing', 0.5)).toBeNull()
  })
})

describe('top', () => {
  const frame = topFrameOf(storeViewOf(three([{ syncP99Ms: 1 }, { syncP99Ms: 9 }, gone])), NOW, null)

  test.each([80, 120])('fits %i columns, marks the leader, and says who is not reached', (width) => {
    const view = { ...PLAIN, width, isWide: width > 100 }
    const lines = topLines(frame, 'name', view, 22)
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(width)
    expect(lines.length).toBeLessThanOrEqual(22)
    expect(lines.join('\n')).toContain('★ b')
    expect(lines.join('\n')).toContain('c is not reached: connect ECONNREFUSED')
    expect(lines.join('\n')).toMatch(/60 %.*\/registry\/pods\//)
  })

  test('sorts the most to the top, and who is not reached to the end', () => {
    expect(sorted(frame.rows, 'sync').map(({ server }) => server.name)).toEqual(['b', 'a', 'c'])
    expect(sorted(frame.rows, 'name').map(({ server }) => server.name)).toEqual(['a', 'b', 'c'])
  })

  test('knows the rate of an etcd from its second picture on', () => {
    const etcd = (position: number) =>
      storeViewOf([serverOf('a', { program: 'etcd', page: null, role: 'leader', position, applied: position })])
    const first = topFrameOf(etcd(100), NOW, null)
    expect(first.rows[0]?.appendsPerS).toBeNull()
    expect(topFrameOf(etcd(150), NOW + 2000, first).rows[0]?.appendsPerS).toBe(25)
  })

  test('as text has the same numbers', () => {
    expect(renderTop(frame, 'name', PLAIN)).toContain('quorum 3: survives 1 failure, none more from here on')
  })
})

describe('keys of a permission', () => {
  const none = { prefix: false, 'from-key': false }
  test.each([
    [spanOf('a', undefined, none), 'a'],
    [spanOf('a', 'c', none), 'the keys from a to c'],
    [spanOf('/app/', undefined, { ...none, prefix: true }), 'all keys below /app/'],
    [spanOf('', undefined, { ...none, prefix: true }), 'all keys'],
    [spanOf('m', undefined, { ...none, 'from-key': true }), 'all keys from m on'],
    [spanOf('Ã\u00FF', undefined, { ...none, prefix: true }), 'all keys below Ã\u00FF'],
  ])('%o are told as %s', (span, text) => {
    expect(spanText(span)).toBe(text)
    expect(permissionView(permissionOf('write', span))).toEqual({ kind: 'write', keys: text })
  })

  test('an end and a flag are refused together', () => {
    expect(() => spanOf('a', 'b', { ...none, prefix: true })).toThrow(/do not go together/)
  })
})
