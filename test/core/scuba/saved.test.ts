import fc from 'fast-check'
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadBoardFile, loadSavedFile } from '../../../src/cli/files/saved-file.ts'
import { commandOf, shellWord } from '../../../src/core/scuba/saved/command.ts'
import { askedOfLink, linkParams } from '../../../src/core/scuba/saved/link.ts'
import {
  scubaBoardPut,
  scubaBoardShow,
  scubaSavedList,
  scubaSavedPut,
  scubaSavedRm,
  scubaSavedShow,
} from '../../../src/core/scuba/saved/operations.ts'
import type { Asked } from '../../../src/core/scuba/saved/schema.ts'
import { VIEWS } from '../../../src/core/scuba/saved/views.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { newState } from '../../support/state.ts'

const text = fc.string({ minLength: 1, maxLength: 30 })
const asked: fc.Arbitrary<Asked> = fc.record(
  {
    table: text,
    sql: text,
    where: fc.array(text, { minLength: 1, maxLength: 3 }),
    calc: fc.array(text, { minLength: 1, maxLength: 3 }),
    by: fc.array(text, { minLength: 1, maxLength: 3 }),
    since: text,
    until: text,
    step: text,
    top: fc.integer({ min: 1, max: 50 }),
    other: fc.constant(true),
    compare: text,
    view: fc.constantFrom(...VIEWS),
    heat: text,
  },
  { requiredKeys: [] },
)

test('a question that goes through a link is the same question', () => {
  fc.assert(
    fc.property(asked, (question) => {
      const link = new URLSearchParams(linkParams(question)).toString()
      expect(askedOfLink(new URLSearchParams(link))).toEqual(question)
    }),
  )
})

test('a link of another version gives what is known of it, within its bounds', () => {
  const link = new URLSearchParams('table=requests&shade=blue&view=cube&top=900&top=0&other=no')
  expect(askedOfLink(link)).toEqual({ table: 'requests', other: false })
})

test('the command of a question has its words quoted for a shell, and its conditions all hold', () => {
  expect(
    commandOf({
      table: 'requests',
      where: ["path = '/a b'", 'status >= 500 OR tries > 1'],
      calc: ['count', 'p99:latency_ms'],
      by: ['service'],
      since: '6h',
      other: true,
    }),
  ).toBe(
    String.raw`muster scuba panel requests --where '(path = '\''/a b'\'') AND (status >= 500 OR tries > 1)' --calc count,p99:latency_ms --by service --since 6h --other`,
  )
  expect(commandOf({ sql: 'select 1' })).toBe("muster scuba query 'select 1'")
  expect(shellWord('')).toBe("''")
})

test('a query is saved, replaced and removed by name; an unknown name is refused with near ones', () => {
  const state = newState([scubaSystem])
  state.run(scubaSavedPut, { queries: [{ name: 'errors', table: 'requests', where: ['status >= 500'] }] }, 'user:anna')
  state.run(
    scubaSavedPut,
    {
      queries: [
        { name: 'errors', sql: 'select 1' },
        { name: 'slow', table: 'requests' },
      ],
    },
    'user:ben',
  )
  expect(state.ask(scubaSavedShow, { name: 'errors' })).toMatchObject({ query: { sql: 'select 1' }, setBy: 'user:ben' })
  expect(() => state.ask(scubaSavedShow, { name: 'error' })).toThrow('did you mean errors?')
  expect(state.replay().digest()).toBe(state.digest())
  state.run(scubaSavedRm, { name: 'errors' })
  expect(state.ask(scubaSavedList, {}).queries.map(({ query }) => query.name)).toEqual(['slow'])
})

test('a board shows saved queries that are there, and outlives them', () => {
  const state = newState([scubaSystem])
  const board = { name: 'mine', panels: [{ title: 'Errors', saved: 'errors' }] }
  expect(() => state.run(scubaBoardPut, { boards: [board] })).toThrow('there is no saved query errors')
  state.run(scubaSavedPut, { queries: [{ name: 'errors', table: 'requests' }] })
  state.run(scubaBoardPut, { boards: [board] })
  state.run(scubaSavedRm, { name: 'errors' })
  expect(state.ask(scubaBoardShow, { name: 'mine' }).board.panels).toEqual(board.panels)
})

test('a query is of a table or SQL, a panel of a board also a saved one, and never two of them', () => {
  const state = newState([scubaSystem])
  const put = (query: object): unknown => state.run(scubaSavedPut, { queries: [{ name: 'a', ...query }] })
  expect(() => put({})).toThrow('say either table or sql')
  expect(() => put({ table: 't', sql: 'select 1' })).toThrow('say either table or sql')
  expect(() => put({ table: 't', since: 'yesterday' })).toThrow()
  expect(() => put({ table: 't', since: '2026-11-30T08:00:00Z', until: '2026-11-30T09:00:00+01:00' })).not.toThrow()
  expect(() => state.run(scubaBoardPut, { boards: [{ name: 'b', panels: [{ title: 'x', saved: 'a', table: 't' }] }] })).toThrow(
    'say one of table, sql and saved',
  )
})

test('every board of the templates can be put, under the name of its file', () => {
  const state = newState([scubaSystem])
  const files = readdirSync('templates/boards')
  for (const file of files) {
    const boards = loadBoardFile(`templates/boards/${file}`)
    expect(state.run(scubaBoardPut, { boards }).names).toEqual([file.replace('.yaml', '')])
  }
  expect(files.length).toBeGreaterThan(5)
  expect(() => loadSavedFile('templates/boards/requests.yaml')).toThrow(/requests\.yaml:\d+:\d+: /)
})
