import { expect, test } from 'vitest'
import { changeOf, valueText, withVersions, type Version } from '../../src/web/store/versions.ts'

const put = (revision: number, version: number, value: string): Version => ({
  ...{ type: 'put', revision, kv: { key: 'a', value, create_revision: 2, mod_revision: revision, version, lease: null } },
})
const gone = (revision: number): Version => ({
  ...{ type: 'delete', revision, kv: { key: 'a', value: '', create_revision: 0, mod_revision: revision, version: 0, lease: null } },
})
const lines = (versions: Version[], revision: number): string[] | undefined =>
  changeOf(versions, revision)?.flatMap((hunk) => hunk.lines.map(({ sign, text }) => `${sign}${text}`))

test('versions that come by a watch join those that were listed, each once, newest first', () => {
  expect(withVersions([put(2, 1, 'x'), put(5, 2, 'y')], [put(5, 2, 'y'), gone(9)]).map(({ revision }) => revision)).toEqual([9, 5, 2])
})

test('a version is compared with the one before it; the first one with nothing; one whose predecessor was compacted with none', () => {
  const versions = withVersions([put(2, 1, 'x'), put(5, 2, 'x\ny'), gone(9)], [])
  expect(lines(versions, 2)).toEqual(['+x'])
  expect(lines(versions, 5)).toEqual([' x', '+y'])
  expect(lines(versions, 9)).toEqual(['-x', '-y'])
  expect(changeOf([put(5, 2, 'y')], 5)).toBeNull()
})

test('JSON is compared in lines, whatever it is written like; what only looks like JSON stays as it is', () => {
  expect(lines([put(3, 2, '{"a":1,"b":3}'), put(2, 1, '{"a":1,"b":2}')], 3)).toEqual([' {', '   "a": 1,', '-  "b": 2', '+  "b": 3', ' }'])
  expect(valueText({ value: '{nonsense' })).toEqual({ text: '{nonsense', form: 'text' })
  expect(valueText({ value: 'AP8=', isValueBase64: true }).form).toBe('bytes, in base64')
})

test('a long value is cut, and it is said', () => {
  const { text, form } = valueText({ value: 'x'.repeat(200_000) })
  expect([text.length, form]).toEqual([100_000, 'text, the first 100000 characters'])
})
