import { expect, test } from 'vitest'
import { PUBLISH_CONFIG, publishController } from '../../../src/core/delos/config/publish.ts'
import { get, put } from '../../../src/core/delos/programs/kv.ts'
import type { Program } from '../../../src/core/delos/programs/program.ts'
import { bytesIn, keyIn, kvView, leaseIn, leaseText } from '../../../src/core/delos/programs/text.ts'
import type * as m from '../../../src/core/delos/wire/messages.ts'
import { parseTxn } from '../../../src/core/delos/programs/txn-text.ts'
import { refusal } from '../../../src/core/delos/wire/refusal.ts'
import { KV_ERRORS } from '../../../src/core/delos/kv/errors.ts'
import { isRefusal, MusterError } from '../../../src/core/kernel/errors.ts'

test("etcdctl's text of a transaction is read as etcdctl reads it", () => {
  const text = `
value("a b") = "x\\"y"
mod(k)  != 3

`.slice(1)
  const rest = `put k 'one two' --lease=2a\nget k --prefix --rev=4 --limit=2 --keys-only\n\ndel "k" --prefix\n\n`
  expect(parseTxn(text + rest)).toEqual({
    compare: [
      { target: 'value', key: 'a b', is: '=', to: 'x"y' },
      { target: 'mod', key: 'k', is: '!=', to: '3' },
    ],
    success: [
      { do: 'put', key: 'k', value: 'one two', lease: '2a' },
      { do: 'get', key: 'k', isPrefix: true, isKeysOnly: true, isCountOnly: false, revision: 4, limit: 2 },
    ],
    failure: [{ do: 'del', key: 'k', isPrefix: true }],
  })
  // Without comparisons the first part is its empty line.
  expect(parseTxn('\nput a 1\n')).toEqual({ compare: [], success: [{ do: 'put', key: 'a', value: '1' }], failure: [] })
})

test.each([
  'mod("a") ~ "3"\n\n',
  'mod("a" = "3"\n\n',
  'size("a") = "3"\n\n',
  '\nput a\n\n',
  '\nget a b\n\n',
  '\nput a "open\n\n',
  '\nput a 1 --hurry\n\n',
  '\nmove a b\n\n',
  '\n\n\n\nput a 1\n',
])('a transaction that says %j is refused', (text) => {
  const parsed = parseTxn(text)
  expect(isRefusal(parsed) && parsed.code).toBe('USAGE')
})

test('text stands for itself and any other bytes in base64, both ways', () => {
  const kv = { create_revision: 2, mod_revision: 2, version: 1, lease: -1n }
  expect(kvView({ ...kv, key: 'a', value: new Uint8Array([0xff]) })).toEqual({
    key: 'a',
    value: '/w==',
    isValueBase64: true,
    create_revision: 2,
    mod_revision: 2,
    version: 1,
    lease: 'ffffffffffffffff',
  })
  expect(keyIn('/w==', true)).toBe('\xff')
  expect(bytesIn('é', false)).toEqual(new Uint8Array([0xc3, 0xa9]))
  // A BOM is a part of a value like any other.
  expect(kvView({ ...kv, key: 'a', value: new Uint8Array([0xef, 0xbb, 0xbf]) }).value).toBe('\uFEFF')
  for (const lease of [1n, -1n, 0x7fff_ffff_ffff_ffffn]) expect(leaseIn(leaseText(lease))).toBe(lease)
})

/** Runs a program against answers; a refusal among them is thrown into it. */
function run<Out>(program: Program<Out>, answers: unknown[]): { out: Out; asked: string[] } {
  const asked: string[] = []
  let step = program.next()
  while (step.done !== true) {
    asked.push(step.value.method)
    const answer = answers.shift()
    step = answer instanceof MusterError ? program.throw(answer) : program.next(answer)
  }
  return { out: step.value, asked }
}

const header = { cluster_id: 0n, member_id: 0n, revision: 9, raft_term: 0 }

const getInput = {
  key: 'a',
  isKeyBase64: false,
  isPrefix: false,
  limit: 1,
  isKeysOnly: false,
  isCountOnly: false,
  isAfterBase64: false,
  isSerializable: false,
}

/** A store with these keys, each with a value of so many bytes, as `get` asks for them. */
function listOf(keys: readonly string[], bytes: number, input: object) {
  const asked: m.RangeRequest[] = []
  const program = get.run({ ...getInput, key: '', isPrefix: true, ...input }, [])
  let step = program.next()
  while (step.done !== true) {
    const request = step.value.request as m.RangeRequest
    asked.push(request)
    const found = keys.filter((key) => key >= request.key)
    const kvs = found.slice(0, request.limit).map((key) => ({
      ...{ key, create_revision: 2, mod_revision: 2, version: 1, lease: 0n },
      value: new Uint8Array(request.keys_only ? 0 : bytes),
    }))
    step = program.next({ header, kvs, count: found.length, more: found.length > kvs.length })
  }
  if (isRefusal(step.value)) throw step.value
  return { found: step.value, asked }
}

test('a list is asked for a few keys at a time, at one revision, until there are enough keys or mebibytes', () => {
  const keys = Array.from({ length: 300 }, (_, i) => String(1000 + i))
  const short = listOf(keys, 10, { limit: 250 })
  expect(short.found.kvs.map(({ key }) => key)).toEqual(keys.slice(0, 250))
  expect([short.found.count, short.found.more]).toEqual([300, true])
  expect(short.asked.map(({ revision, limit }) => [revision, limit])).toEqual([
    [0, 64],
    [9, 64],
    [9, 64],
    [9, 58],
  ])
  const long = listOf(keys, 100_000, { limit: 250 })
  expect([long.found.kvs.length, long.found.count, long.found.more, long.asked.length]).toEqual([64, 300, true, 1])
  const rest = listOf(keys, 10, { limit: 1000, after: keys[63], revision: 9 })
  expect(rest.found.kvs.map(({ key }) => key)).toEqual(keys.slice(64))
  expect([rest.found.more, rest.asked[0]?.revision]).toEqual([false, 9])
  expect(listOf(keys, 10, { limit: 1000, isKeysOnly: true }).asked).toHaveLength(1)
})

test('a revision that cannot be read is refused with the newest one, and whether it was or will be', () => {
  const read = (revision: number): unknown => {
    const { out } = run(get.run({ ...getInput, revision }, []), [refusal(KV_ERRORS.compacted), { header, kvs: [], count: 0, more: false }])
    return isRefusal(out) ? out.message : out
  }
  expect(read(3)).toBe('Revision 3 cannot be read: it was compacted; the newest is 9.')
  expect(read(12)).toBe('Revision 12 cannot be read: it does not exist yet; the newest is 9.')
})

test('any other refusal of the store ends a program with its own words', () => {
  const input = { key: 'a', isKeyBase64: false, value: '', isValueBase64: false, wantsPrev: false }
  expect(() => run(put.run(input, []), [refusal(KV_ERRORS.noSpace)])).toThrow(KV_ERRORS.noSpace.text)
  expect(refusal(KV_ERRORS.noSpace).code).toBe('DISK_FULL')
})

test('configurations whose key does not have their active version are asked for, and keys of none are removed', () => {
  const db = {
    get: () => undefined,
    all: () =>
      [
        { name: 'a', active: 3 },
        { name: 'b', active: 1 },
        { name: 'c', active: 2 },
      ] as never,
  }
  const published = new Map([
    ['a', 3],
    ['b', 0],
    ['gone', 7],
  ])
  const effects = publishController.effects?.(db, 0, { published }) ?? []
  expect(effects.map(({ key }) => key)).toEqual([`${PUBLISH_CONFIG}/b@1`, `${PUBLISH_CONFIG}/c@2`, `${PUBLISH_CONFIG}/gone@gone`])
})
