import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countChanges, lineDiff, type Hunk } from '../../../../src/core/delos/config/line-diff.ts'

/** Applies the hunks to the old text, checking every line they claim of it. */
function patch(from: string, hunks: readonly Hunk[]): string[] {
  const old = from.split('\n')
  if (old.at(-1) === '') old.pop()
  const out: string[] = []
  let next = 0
  for (const { fromLine, toLine, lines } of hunks) {
    while (next < fromLine - 1) out.push(old[next++] ?? '')
    expect(out.length).toBe(toLine - 1)
    for (const { sign, text } of lines) {
      if (sign !== '+') expect(old[next++]).toBe(text)
      if (sign !== '-') out.push(text)
    }
  }
  return [...out, ...old.slice(next)]
}

const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 }).map((lines) => lines.map((line) => `${line}\n`).join(''))

test('a diff turns the old text into the new one, and claims nothing of the old that is not so', () => {
  fc.assert(
    fc.property(text, text, (from, to) => {
      const expected = to.split('\n').slice(0, -1)
      expect(patch(from, lineDiff(from, to))).toEqual(expected)
    }),
  )
})

/** Length of the longest common subsequence, the slow and obvious way. */
function commonLines(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, () => 0)
  for (const line of a) {
    const next = [0]
    for (let j = 1; j <= b.length; j += 1) next.push(line === b[j - 1] ? (row[j - 1] ?? 0) + 1 : Math.max(row[j] ?? 0, next[j - 1] ?? 0))
    row = next
  }
  return row.at(-1) ?? 0
}

test('no shorter diff exists', () => {
  fc.assert(
    fc.property(text, text, (from, to) => {
      const [a, b] = [from.split('\n').slice(0, -1), to.split('\n').slice(0, -1)]
      const { added, removed } = countChanges(lineDiff(from, to))
      expect(added + removed).toBe(a.length + b.length - 2 * commonLines(a, b))
    }),
  )
})

test('texts that have little in common are shown as replaced, in bounded time', () => {
  const lines = (word: string): string => Array.from({ length: 20_000 }, (_, i) => `${word} ${i}\n`).join('')
  expect(countChanges(lineDiff(`same\n${lines('a')}`, `same\n${lines('b')}`))).toEqual({ added: 20_000, removed: 20_000 })
})

test('what is far from a change is left out', () => {
  const many = Array.from({ length: 100 }, (_, i) => `${i}\n`)
  const hunks = lineDiff(many.join(''), many.with(10, 'x\n').with(90, 'y\n').join(''))
  expect(hunks.map(({ fromLine, lines }) => [fromLine, lines.length])).toEqual([
    [8, 8],
    [88, 8],
  ])
})
