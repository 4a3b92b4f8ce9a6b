import { expect, test } from 'vitest'
import { matches, parseWhere } from '../../../../src/core/delos/meta/where.ts'
import { metaDel, metaFind, metaGet, metaList, metaPutCommand } from '../../../../src/core/delos/operations.ts'
import { delosSystem } from '../../../../src/core/delos/system.ts'
import { isRefusal, MusterError } from '../../../../src/core/kernel/errors.ts'
import { newState } from '../../../support/state.ts'

function refusal(act: () => unknown): MusterError {
  try {
    act()
  } catch (error) {
    if (error instanceof MusterError) return error
    throw error
  }
  throw new Error('it was not refused')
}

test('a record is read back as it was put, and putting the same again changes nothing', () => {
  const state = newState([delosSystem])
  const record = { kind: 'database', name: 'orders', labels: { env: 'prod' }, body: { host: 'db1', size: [1, null, { a: 'é' }] } }
  const { version } = state.run(metaPutCommand, record)
  expect(state.ask(metaGet, { kind: 'database', name: 'orders' })).toMatchObject({ ...record, version, author: 'user:test' })
  const entries = state.entries.length
  expect(state.run(metaPutCommand, { ...record, body: { size: [1, null, { a: 'é' }], host: 'db1' } })).toMatchObject({
    version,
    isChanged: false,
  })
  expect(state.entries).toHaveLength(entries)
  expect(refusal(() => state.ask(metaGet, { kind: 'topic', name: 'orders' }))).toMatchObject({ code: 'DELOS_META_UNKNOWN', exit: 3 })
})

test('a version is never used twice, so --expect is not fooled by a record that was deleted and made anew', () => {
  const state = newState([delosSystem])
  const which = { kind: 'database', name: 'orders' }
  const first = state.run(metaPutCommand, { ...which, body: 1, expect: 0 }).version
  state.run(metaDel, { ...which, expect: first })
  const second = state.run(metaPutCommand, { ...which, body: 1, expect: 0 }).version
  expect(second).toBeGreaterThan(first)
  const conflict = refusal(() => state.run(metaPutCommand, { ...which, body: 2, expect: first }))
  expect(conflict).toMatchObject({ code: 'DELOS_CONFLICT', exit: 5, details: { expected: first, found: second } })
  expect(refusal(() => state.run(metaDel, { ...which, expect: first })).code).toBe('DELOS_CONFLICT')
  expect(refusal(() => state.run(metaPutCommand, { ...which, body: 2, expect: 0 })).message).toContain(`is at version ${second}`)
  expect(state.run(metaPutCommand, { ...which, body: 2, expect: second }).isChanged).toBe(true)
})

test('records are found by all their labels, by kind, and by what their bodies say', () => {
  const state = newState([delosSystem])
  for (let i = 0; i < 12; i += 1) {
    const labels = { env: i % 2 === 0 ? 'prod' : 'dev', team: i % 3 === 0 ? 'a' : 'b' }
    state.run(metaPutCommand, { kind: 'database', name: `db${String(i).padStart(2, '0')}`, labels, body: { spec: { replicas: i } } })
  }
  state.run(metaPutCommand, { kind: 'topic', name: 'orders', labels: { env: 'prod' } })
  const found = (input: Parameters<typeof metaFind.input.parse>[0]): string[] =>
    state.ask(metaFind, metaFind.input.parse(input)).records.map(({ name }) => name)
  expect(found({ labels: { env: 'prod', team: 'a' } })).toEqual(['db00', 'db06'])
  expect(found({ kind: 'topic', labels: { env: 'prod' } })).toEqual(['orders'])
  expect(found({ kind: 'database', where: ['spec.replicas>=10'] })).toEqual(['db10', 'db11'])
  expect(found({ labels: { env: 'prod' }, where: ['spec.replicas<4', 'spec.replicas!=0'] })).toEqual(['db02'])
  expect(state.ask(metaFind, { labels: { env: 'prod' }, limit: 3 })).toMatchObject({ more: true })
  expect(state.ask(metaList, { kind: 'database', limit: 12 }).more).toBe(false)
  expect(refusal(() => state.ask(metaFind, { where: ['nonsense'] })).code).toBe('USAGE')
})

test('an index never finds a record by a label it had before, or after it is gone', () => {
  const state = newState([delosSystem])
  const which = { kind: 'database', name: 'orders' }
  const has = (env: string): boolean => state.ask(metaFind, { labels: { env } }).records.length > 0
  state.run(metaPutCommand, { ...which, labels: { env: 'dev' } })
  state.run(metaPutCommand, { ...which, labels: { env: 'prod' } })
  expect([has('dev'), has('prod')]).toEqual([false, true])
  state.run(metaDel, which)
  expect(has('prod')).toBe(false)
  expect(state.replay().digest()).toBe(state.digest())
})

test('comparisons know numbers from texts, and what is not there from what is', () => {
  const body = { a: { n: 3, t: 'x' }, list: [{ b: 1 }], no: null }
  const holds = (text: string): boolean => {
    const where = parseWhere(text)
    if (isRefusal(where)) throw where
    return matches(body, where)
  }
  for (const text of [
    'a.n=3',
    'a.n > 2',
    'a.n<=3',
    'a.t=x',
    'a.t="x"',
    'a.t>=w',
    'list.0.b=1',
    'no=null',
    'none!=1',
    'a.n!="3"',
    'a={"t":"x","n":3}',
  ])
    expect(holds(text), text).toBe(true)
  for (const text of ['a.n="3"', 'a.n>x', 'none<1', 'none=null', 'list.1.b=1', 'toString!=1x=', 'a.constructor=1'])
    expect(holds(text), text).toBe(text.includes('!='))
  for (const text of ['', 'a', '=3', 'a..b=1', '.a=1']) expect(isRefusal(parseWhere(text)), text).toBe(true)
})
