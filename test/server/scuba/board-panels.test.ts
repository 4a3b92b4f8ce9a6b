import { expect, test } from 'vitest'
import { refuse } from '../../../src/core/kernel/errors.ts'
import { LIMITS } from '../../../src/core/scuba/limits.ts'
import { outcome } from '../../../src/server/scuba/leaf/board.ts'
import { BoardPanels, type KeptPanel, type Shown } from '../../../src/server/scuba/leaf/board-panels.ts'

const never = new AbortController().signal
const shown = (text: string): Shown => ({ json: Buffer.from(text), etag: text, coverage: { rows: 1, missing: [] } })
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve()
}

/** Panels whose looks are answered by hand, in any order. */
function byHand(): {
  panels: BoardPanels
  of: (table: string) => KeptPanel
  looks: string[]
  deadlines: number[]
  answer: (table: string, how?: Shown | Error) => Promise<void>
  aborted: string[]
  left: string[]
} {
  const looks: string[] = []
  const deadlines: number[] = []
  const aborted: string[] = []
  const left: string[] = []
  const open = new Map<string, { resolve: (shown: Shown) => void; reject: (error: Error) => void }>()
  const panels = new BoardPanels({
    engines: 1,
    onLeft: (gone) => left.push(...[...gone].map(({ request }) => request.table)),
    ask: ({ table, deadlineMs }, signal) =>
      new Promise((resolve, reject) => {
        looks.push(table)
        deadlines.push(deadlineMs ?? 0)
        open.set(table, { resolve, reject })
        signal.addEventListener('abort', () => {
          aborted.push(table)
          reject(refuse('SCUBA_DEADLINE', 'stopped'))
        })
      }),
  })
  return {
    ...{ panels, looks, deadlines, aborted, left },
    of: (table) => {
      const panel = panels.of({ table, calc: ['count'] })
      panels.use(panel, Date.now())
      return panel
    },
    answer: async (table, how = shown(table)) => {
      if (how instanceof Error) open.get(table)?.reject(how)
      else open.get(table)?.resolve(how)
      await settle()
    },
  }
}

test('who shows the same panel waits for the same look', async () => {
  const { panels, of, looks, answer } = byHand()
  const all = Promise.all(Array.from({ length: 1000 }, () => panels.await(of('a'), 60_000, never)))
  expect(looks).toEqual(['a'])
  await answer('a')
  await all
  expect(of('a').shown?.json.toString()).toBe('a')
  expect(panels.of({ table: 'a', calc: ['count'], maxAgeMs: 5, deadlineMs: 9, require: 'full' })).toBe(of('a'))
  expect(panels.of({ table: 'a', calc: ['count'], lastMs: 5 })).not.toBe(of('a'))
})

test('few look at once, and those that somebody waits for go before those that are only due', async () => {
  const { panels, of, looks, answer } = byHand()
  for (const table of ['a', 'b', 'c', 'd']) panels.renew(of(table))
  expect(looks).toEqual(['a', 'b'])
  const waits = ['e', 'd', 'f'].map((table) => panels.await(of(table), 60_000, never))
  expect(looks).toEqual(['a', 'b', 'e', 'd'])
  await answer('a')
  expect(looks).toEqual(['a', 'b', 'e', 'd', 'f'])
  for (const table of ['b', 'e', 'd', 'f']) await answer(table)
  await Promise.all(waits)
  expect(looks).toEqual(['a', 'b', 'e', 'd', 'f', 'c'])
})

test('who loses patience gets the last answer; a look that nobody waits for any more is stopped only if there is none', async () => {
  const { panels, of, looks, aborted, answer } = byHand()
  await panels.await(of('a'), 5, never)
  expect(of('a').shown).toBeNull()
  await answer('a')
  expect(of('a').shown?.json.toString()).toBe('a')
  const gone = new AbortController()
  const waits = ['a', 'b'].map((table) => panels.await(of(table), 60_000, gone.signal))
  gone.abort()
  await Promise.all(waits)
  expect(looks).toEqual(['a', 'a', 'b'])
  expect(aborted).toEqual(['b'])
})

test('a look has the time that whoever waits for it gives it, and never less than a question has', async () => {
  const { panels, of, looks, deadlines, answer } = byHand()
  for (const table of ['a', 'b', 'c']) panels.renew(of(table))
  const waits = [
    ...['d', 'e'].map((table) => panels.await(of(table), 100, never)),
    ...['c', 'c'].map((table, i) => panels.await(of(table), [60_000, 100][i] ?? 0, never)),
  ]
  await answer('a')
  expect(looks).toEqual(['a', 'b', 'd', 'e', 'c'])
  expect(deadlines.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => LIMITS.deadlineMs))
  expect(deadlines[4]).toBeGreaterThan(50_000)
  expect(deadlines[4]).toBeLessThanOrEqual(60_000)
  for (const table of ['b', 'c', 'd', 'e']) await answer(table)
  await Promise.all(waits)
})

test('a failure is told for a second without another look; what may pass leaves the last answer, what cannot does not', async () => {
  const { panels, of, looks, answer } = byHand()
  const look = async (how?: Shown | Error): Promise<void> => {
    panels.renew(of('a'))
    await answer('a', how)
  }
  await look()
  await look(refuse('SCUBA_BUSY', 'busy'))
  expect(of('a')).toMatchObject({ failure: { code: 'SCUBA_BUSY' } })
  expect(of('a').shown?.etag).toBe('a')
  await panels.await(of('a'), 60_000, never)
  expect(looks).toHaveLength(2)
  await look(refuse('SCUBA_TABLE_UNKNOWN', 'gone'))
  expect(of('a').shown).toBeNull()
})

test('why a panel failed is said also when the others of its board took long after that', async () => {
  const { panels, of, answer } = byHand()
  const askedMs = Date.now()
  const asked = panels.await(of('a'), 60_000, never)
  await answer('a', refuse('SCUBA_TABLE_UNKNOWN', 'gone'))
  await asked
  const panel = { kept: of('a'), everyMs: 0, isFull: false }
  expect(outcome(panel, askedMs, askedMs + 30_000)).toMatchObject({ code: 'SCUBA_TABLE_UNKNOWN' })
  // Of a failure before that nothing is known any more.
  expect(outcome(panel, askedMs + 30_000, askedMs + 30_000)).toMatchObject({ code: 'SCUBA_DEADLINE' })
})

test('of too many panels those not shown for longest go', async () => {
  const { panels, left } = byHand()
  for (let i = 0; i <= LIMITS.boardPanelsMax; i += 1) panels.use(panels.of({ table: `t${i}`, calc: ['count'] }), i)
  expect(left).toHaveLength(LIMITS.boardPanelsMax * 0.1 + 1)
  expect(left).toContain('t0')
  expect(left).not.toContain(`t${LIMITS.boardPanelsMax}`)
})
