import { expect, test } from 'vitest'
import {
  EMPTY_TREE,
  moved,
  rowsOf,
  ROWS_MAX,
  toggled,
  touchedBy,
  withLevel,
  withMore,
  type Child,
  type Level,
} from '../../src/web/store/key-tree.ts'

const prefix = (key: string, count = 1): Child => ({ key, isPrefix: true, count })
const leaf = (key: string): Child => ({ key, isPrefix: false, count: 1 })
const level = (children: Child[], more = false): Level => ({ children, more, count: children.length, revision: 7 })

const tree = withLevel(withLevel(EMPTY_TREE, '', level([prefix('a/', 2), leaf('b')])), 'a/', level([prefix('a/c/'), leaf('a/d')]))

test('a level is shown below its prefix once that is open, each row by the part of the key that is its own', () => {
  expect(rowsOf(tree, '').rows.map(({ label }) => label)).toEqual(['a/', 'b'])
  const { rows } = rowsOf(toggled(tree, 'a/'), '')
  expect(rows.map(({ label, depth }) => [label, depth])).toEqual([
    ['a/', 0],
    ['c/', 1],
    ['d', 1],
    ['b', 0],
  ])
  expect(rowsOf(toggled(toggled(tree, 'a/'), 'a/'), '').rows).toHaveLength(2)
})

test('never more rows than the screen bears, whatever is open, and it is said', () => {
  const many = withLevel(EMPTY_TREE, '', level(Array.from({ length: ROWS_MAX + 5 }, (_, i) => leaf(`k${i}`))))
  expect(rowsOf(many, '')).toMatchObject({ isCut: true, rows: { length: ROWS_MAX } })
  expect(rowsOf(tree, '').isCut).toBe(false)
})

test('a level of which the server has more ends with a row that loads it, and a part comes behind the others once', () => {
  const part = withLevel(EMPTY_TREE, '', level([leaf('a'), leaf('b')], true))
  expect(rowsOf(part, '').rows.at(-1)).toMatchObject({ kind: 'more', level: '' })
  const whole = withMore(part, '', level([leaf('b'), leaf('c')]))
  expect(rowsOf(whole, '').rows.map(({ label }) => label)).toEqual(['a', 'b', 'c'])
})

test('a key and a prefix of the same name are two rows, and a key that is the prefix itself is seen', () => {
  const same = withLevel(withLevel(EMPTY_TREE, '', level([leaf('a'), prefix('a/')])), 'a/', level([leaf('a/')]))
  const { rows } = rowsOf(toggled(same, 'a/'), '')
  expect(rows.map(({ label }) => label)).toEqual(['a', 'a/', '(empty)'])
  expect(new Set(rows.map(({ id }) => id)).size).toBe(3)
})

test('a change of a key touches the loaded levels of its prefixes', () => {
  expect(touchedBy(tree, 'a/c/x')).toEqual(['', 'a/'])
  expect(touchedBy(tree, 'b')).toEqual([''])
})

test('arrows go through the rows, and out to the prefix above', () => {
  const { rows } = rowsOf(toggled(tree, 'a/'), '')
  const ids = rows.map(({ id }) => id)
  expect(moved(rows, ids[0] ?? '', 'ArrowDown')).toBe(ids[1])
  expect(moved(rows, ids[0] ?? '', 'ArrowUp')).toBeNull()
  expect(moved(rows, ids[2] ?? '', 'ArrowLeft')).toBe(ids[0])
  expect(moved(rows, ids[0] ?? '', 'ArrowRight')).toBe(ids[1])
  expect(moved(rows, ids[1] ?? '', 'End')).toBe(ids[3])
})
