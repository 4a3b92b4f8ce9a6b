import { expect, test } from 'vitest'
import type { Controller } from '../../../src/core/contracts/controller.ts'
import { declarationSchema } from '../../../src/core/scuba/declared/declaration.ts'
import type { Observed, RegistrySoft } from '../../../src/core/scuba/observed.ts'
import { scubaDerivedPut } from '../../../src/core/scuba/operations/derived.ts'
import { scubaHoldPut, scubaHoldRm, scubaRetentionPut } from '../../../src/core/scuba/operations/retention.ts'
import { scubaTableDrop, scubaTablePut, scubaTableRename } from '../../../src/core/scuba/operations/tables.ts'
import { registryController } from '../../../src/core/scuba/registry-controller.ts'
import { registryOf } from '../../../src/core/scuba/registry-state.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { newState } from '../../support/state.ts'

const CONTROLLERS = [registryController as Controller]

const observed = (more: Partial<Observed> = {}): Observed => ({
  ...{ leaf: 'leaf-1', mark: '', registryVersion: 0, tables: {}, lost: [], notes: [], broken: [] },
  ...more,
})
const table = (columns: Observed['tables'][string]['columns']) => ({ columns, rows: 1, bytes: 1, segments: 0 })
const soft = (seen: Observed | null, more: Partial<RegistrySoft> = {}): RegistrySoft => ({
  ...{ observed: seen, leaf: 'leaf-1', silentSinceMs: null },
  ...more,
})
const types = (state: ReturnType<typeof newState>): string[] => state.entries.map(({ type }) => type.replace('scuba.', ''))

test('columns become one entry per table, and the next one not before ten seconds have passed', () => {
  const state = newState([scubaSystem])
  const see = (columns: Observed['tables'][string]['columns']) =>
    state.settle(CONTROLLERS, () => soft(observed({ tables: { t: table(columns) } })))
  see({ a: 'BIGINT' })
  expect(types(state)).toEqual(['LeafJoined', 'ColumnsObserved'])
  state.advance(4000)
  expect(see({ a: 'DOUBLE', b: 'VARCHAR' })).toBe(state.now() + 6000)
  expect(types(state).length).toBe(2)
  state.advance(6000)
  see({ a: 'DOUBLE', b: 'VARCHAR' })
  expect(state.entries.at(-1)?.body).toEqual({ table: 't', columns: { a: 'DOUBLE', b: 'VARCHAR' } })
})

test('a leaf that was silent for 30 s is lost, notably, once; and joins again when it answers', () => {
  const state = newState([scubaSystem])
  state.settle(CONTROLLERS, () => soft(observed()))
  const silentSinceMs = state.now()
  expect(state.settle(CONTROLLERS, () => soft(observed(), { silentSinceMs }))).toBe(silentSinceMs + 30_000)
  state.advance(30_000)
  state.settle(CONTROLLERS, () => soft(observed(), { silentSinceMs }))
  state.settle(CONTROLLERS, () => soft(null, { silentSinceMs }))
  state.settle(CONTROLLERS, () => soft(observed()))
  expect(types(state)).toEqual(['LeafJoined', 'LeafLost', 'LeafJoined'])
  expect(state.entries[1]?.notable).toMatchObject({ kind: 'leaf-lost', target: 'leaf-1' })
})

test('a server may be set to wait for another time', () => {
  const state = newState([scubaSystem])
  state.settle(CONTROLLERS, () => soft(observed()))
  const silent = { silentSinceMs: state.now(), leafLostMs: 8000 }
  expect(state.settle(CONTROLLERS, () => soft(observed(), silent))).toBe(silent.silentSinceMs + 8000)
  state.advance(8000)
  state.settle(CONTROLLERS, () => soft(observed(), silent))
  expect(types(state)).toEqual(['LeafJoined', 'LeafLost'])
})

test('a disk that fills up is told at once, one that is emptier when it has been for a minute, and each is notable', () => {
  const state = newState([scubaSystem])
  const see = (disk: Observed['disk']) => state.settle(CONTROLLERS, () => soft(observed({ disk })))
  const levels = () =>
    state.entries.flatMap(({ type, body }) => (type === 'scuba.LeafDiskMoved' ? [(body as { level: string }).level] : []))
  see('ok')
  see('evict')
  expect(see('warn')).toBe(state.now() + 60_000)
  see('full')
  expect(levels()).toEqual(['evict', 'full'])
  state.advance(60_000)
  see('warn')
  expect(levels()).toEqual(['evict', 'full', 'warn'])
  expect(state.entries.at(-1)?.notable).toMatchObject({ kind: 'leaf-disk', target: 'leaf-1' })
  expect(state.replay().digest()).toBe(state.digest())
})

test('each note and each lost segment of a leaf becomes one entry, however often it is told', () => {
  const state = newState([scubaSystem])
  const note = { atMs: 1, table: 't', what: 'dropped' as const, reason: 'age' as const, segments: 1, rows: 5, bytes: 10 }
  const lost = [{ table: 't', file: 'f', rows: 5, reason: 'gone' }]
  const tell = (more: Partial<Observed>) => state.settle(CONTROLLERS, () => soft(observed(more)))
  tell({ notes: [{ number: 1, ...note }], lost })
  tell({
    notes: [
      { number: 1, ...note },
      { number: 2, ...note, what: 'erased', reason: '', predicateSha256: 'ab', by: 'user:anna' },
    ],
    lost,
  })
  tell({ notes: [{ number: 2, ...note }] })
  expect(types(state)).toEqual(['LeafJoined', 'RetentionApplied', 'SegmentLost', 'RowsErased', 'SegmentSettled'])
  expect(state.replay().digest()).toBe(state.digest())
})

test('the leaf is told what is declared, kept, held, derived and to be done, and replaying the log tells it the same', () => {
  const state = newState([scubaSystem])
  const declare = (columns: object, newVersion = false) =>
    state.run(scubaTablePut, { declaration: declarationSchema.parse({ table: 't', sort: ['x'], columns }), newVersion })
  declare({ x: { type: 'BIGINT', required: true } })
  expect(() => declare({ x: { type: 'VARCHAR' } })).toThrow('BIGINT becomes VARCHAR')
  declare({ x: { type: 'VARCHAR' } }, true)
  state.run(scubaRetentionPut, { table: 't', days: 10 })
  state.run(scubaDerivedPut, { table: 't', name: 'twice', sql: 'x || x' })
  const hold = state.run(scubaHoldPut, { table: 't', fromMs: 1, toMs: 2 })
  expect(() => state.run(scubaTableDrop, { table: 't' })).toThrow('are held')
  const registry = registryOf(state.db, 9)
  expect(registry).toMatchObject({
    version: 9,
    tables: { t: { version: 2, columns: { x: 'VARCHAR' }, retyped: ['x'], sort: ['x'], rules: {} } },
    retention: { t: { days: 10, gb: 100 } },
    holds: [{ id: hold.id, table: 't' }],
    derived: { t: { twice: { sql: 'x || x' } } },
    jobs: [],
  })
  state.run(scubaTableRename, { table: 't', to: 'u' })
  expect(registryOf(state.db, 9)).toMatchObject({ tables: { u: {} }, holds: [{ table: 'u' }], jobs: [{ table: 't', to: 'u' }] })
  state.run(scubaHoldRm, { id: hold.id })
  state.run(scubaTableDrop, { table: 'u' })
  const { tables, retention, derived, jobs } = registryOf(state.db, 9)
  expect([tables, retention, derived]).toEqual([{}, {}, {}])
  expect(jobs).toMatchObject([
    { table: 't', to: 'u' },
    { table: 'u', to: null },
  ])
  expect(state.replay().digest()).toBe(state.digest())
})

test('a hold for an incident is of one that there is, and says what it is about', () => {
  const state = newState([scubaSystem])
  const incidentTitle = (sev: number): string | null => (sev === 7 ? 'login fails' : null)
  const put = (more: object) =>
    scubaHoldPut.decide(
      state.db,
      { fromMs: 1, toMs: 2, ...more },
      { now: 1, actor: 'user:a', role: 'operator', position: 9, soft: soft(null, { incidentTitle }) },
    )
  expect(put({ sev: 8 })).toMatchObject({ code: 'NOT_FOUND', message: 'there is no incident #8' })
  expect(put({ sev: 7 })).toMatchObject({ entries: [{ body: { sev: 7, reason: 'login fails' } }] })
  expect(put({ sev: 7, reason: 'postmortem' })).toMatchObject({ entries: [{ body: { reason: 'postmortem' } }] })
  expect(put({})).toMatchObject({ entries: [{ body: { sev: null, reason: 'not said' } }] })
})
