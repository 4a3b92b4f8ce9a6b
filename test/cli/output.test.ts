import { expect, test } from 'vitest'
import { format, formatOf, nameOf, rowsOf } from '../../src/cli/output.ts'

test('the format is read before the line is parsed, so that usage errors come in it', () => {
  expect(formatOf(['tw', 'ps', '--nonsense', '--json'], 'table')).toBe('json')
  expect(formatOf(['-o', 'yaml'], 'table')).toBe('yaml')
  expect(formatOf(['--output=jsonl'], 'table')).toBe('jsonl')
  expect(formatOf(['-oname'], 'table')).toBe('name')
})

test('what stands after -- belongs to somebody else', () => {
  expect(formatOf(['delos', 'lock', 'run', 'x', '--', 'cmd', '--json'], 'table')).toBe('table')
})

test('a format that does not exist falls back to the table for the error about it', () => {
  expect(formatOf(['-o', 'xml'], 'json')).toBe('table')
})

test('rows are the answer if a list, its only list, or the answer itself', () => {
  expect(rowsOf([1, 2])).toEqual([1, 2])
  expect(rowsOf({ tasks: [{ task: 'a' }], nowMs: 3 })).toEqual([{ task: 'a' }])
  expect(rowsOf({ a: [], b: [] })).toEqual([{ a: [], b: [] }])
  expect(rowsOf(null)).toEqual([])
})

test('names are found in the usual members', () => {
  expect(nameOf({ id: 3, name: 'web' })).toBe('web')
  expect(nameOf({ number: 3 })).toBe('3')
  expect(nameOf({ odd: 3 })).toBe('{"odd":3}')
})

test('JSON is one envelope, JSON Lines one row a line', async () => {
  expect(JSON.parse(await format('json', 'muster.x/1', { a: 1 }, ['w']))).toEqual({
    schema: 'muster.x/1',
    ok: true,
    data: { a: 1 },
    warnings: ['w'],
  })
  expect(await format('jsonl', 'muster.x/1', [{ a: 1 }, { a: 2 }], [])).toBe('{"a":1}\n{"a":2}')
  expect(await format('yaml', 'muster.x/1', { a: 1 }, [])).toContain('data:\n  a: 1')
})
