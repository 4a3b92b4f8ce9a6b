import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergeByTime, type Timed } from '../../../src/server/tw/merge-by-time.ts'

interface Line extends Timed {
  text: string
}

async function* source(lines: readonly Line[], onEnd = (): void => {}): AsyncGenerator<Line> {
  try {
    yield* lines
  } finally {
    onEnd()
  }
}

async function merged(sources: readonly (readonly Line[])[]): Promise<string[]> {
  const texts: string[] = []
  for await (const { text } of mergeByTime(sources.map((lines) => source(lines)))) texts.push(text)
  return texts
}

test('lines of all come by time; of one time, those of the source named first', async () => {
  const a = [1, 3, 3, 7].map((time, i) => ({ time, text: `a${i}` }))
  const b = [2, 3, 9].map((time, i) => ({ time, text: `b${i}` }))
  expect(await merged([a, [], b])).toEqual(['a0', 'b0', 'a1', 'a2', 'b1', 'a3', 'b2'])
})

test('a line without a time stays with the one before it', async () => {
  expect(
    await merged([
      [{ time: 5, text: 'a0' }, { text: 'a1' }],
      [
        { time: 5, text: 'b0' },
        { time: 6, text: 'b1' },
      ],
    ]),
  ).toEqual(['a0', 'a1', 'b0', 'b1'])
})

test('any sources in order give one in order, with all there was', async () => {
  const times = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 20 }).map((list) => list.toSorted((a, b) => a - b))
  await fc.assert(
    fc.asyncProperty(fc.array(times, { maxLength: 8 }), async (all) => {
      const given = await merged(all.map((list, k) => list.map((time, i) => ({ time, text: `${time} ${k} ${i}` }))))
      const expected = all
        .flatMap((list, k) => list.map((time, i) => ({ time, k, i })))
        .toSorted((x, y) => x.time - y.time || x.k - y.k || x.i - y.i)
      expect(given).toEqual(expected.map(({ time, k, i }) => `${time} ${k} ${i}`))
    }),
  )
})

test('a reader that leaves early ends every source', async () => {
  let ended = 0
  const lines = [1, 2, 3].map((time) => ({ time, text: String(time) }))
  for await (const { text } of mergeByTime([1, 2, 3].map(() => source(lines, () => (ended += 1))))) if (text === '2') break
  expect(ended).toBe(3)
})
