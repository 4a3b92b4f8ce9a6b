import { expect, test } from 'vitest'
import { bucketColumn, TICK } from '../../../../src/core/scuba/plan/codes.ts'
import { viewSql } from '../../../../src/core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../../src/core/scuba/rows/columns.ts'
import type { Segment } from '../../../../src/core/scuba/wal/manifest.ts'
import type { Artefact, NativeSpec } from '../../../../src/core/scuba/warm/artefact.ts'
import { HEAT, Heat } from '../../../../src/core/scuba/warm/heat.ts'
import { coversNative, heatOfNative, isWorthCopies, nativeQuestion, nativeSavedMs } from '../../../../src/core/scuba/warm/native.ts'
import { planWarm, type WarmPlan, type WarmView } from '../../../../src/core/scuba/warm/planner.ts'

const HOUR_MS = 3_600_000
const MB = 1024 * 1024
const spec = (...names: string[]): NativeSpec => ({
  kind: 'native',
  columns: Object.fromEntries(['time', ...names].sort().map((name) => [name, name === 'time' ? 'TIMESTAMP' : 'DOUBLE'])),
})
const segment = (number: number): Segment => ({
  ...{ file: `s${number}`, table: 't', rows: 600_000, bytes: 25 * MB, sha256: '' },
  ...{ minUs: number * 1000, maxUs: number * 1000 + 999 },
})
const built = (number: number, of: NativeSpec, more: Partial<Artefact> = {}): Artefact => ({
  ...{ file: `${number} ${Object.keys(of.columns).join()}`, table: 't', segment: `s${number}`, spec: of },
  ...{ bytes: 2 * MB, rows: 600_000, builtAtMs: 0, buildMs: 300, ...more },
})
const plan = (heat: Heat, nowMs: number, more: Partial<WarmView> = {}): WarmPlan =>
  planWarm({
    ...{ segments: [segment(1), segment(2), segment(3)], built: [], wants: heat.wants(nowMs), useless: new Set(), notCopied: new Map() },
    ...{ backlogShare: 0, budgetMin: 0, nowMs, ...more },
  })
const asked = (...notes: [NativeSpec, number, number?][]): Heat => {
  const heat = new Heat()
  for (const [of, costMs, fromUs = 0] of notes) heat.note('t', of, costMs, fromUs, 0)
  return heat
}
const builds = ({ build }: WarmPlan): string[] =>
  build.map(({ segment: { file }, spec: of }) => `${file} ${of.kind === 'native' ? Object.keys(of.columns).join() : of.kind}`)

test('wants of one table become one copy of all their columns, the newest segments first', () => {
  expect(builds(plan(asked([spec('a'), 1500], [spec('b'), 1500]), 0))).toEqual(['s3 a,b,time', 's2 a,b,time', 's1 a,b,time'])
  expect(builds(plan(asked([spec('a'), 900], [spec('b'), 900]), 0))).toEqual([])
})

test('copies are made as far as what they would have saved pays for them, and not for older segments than were asked for', () => {
  // 600,000 rows of 15 columns at 150 ns are 1.35 s.
  const wide = spec(...'abcdefghijklmn')
  expect(builds(plan(asked([wide, 3000]), 0, { budgetMin: 1e9 })).map((text) => text.slice(0, 2))).toEqual(['s3', 's2'])
  const paid = built(3, wide, { buildMs: 2000 })
  expect(builds(plan(asked([wide, 3000]), 0, { budgetMin: 1e9, built: [paid] }))).toEqual([])
  expect(builds(plan(asked([spec('a'), 9000, 3000]), 0))).toEqual(['s3 a,time'])
})

test('what does not fit into a fifth of the table is left out, the coldest first, and what is better read from segments always', () => {
  const heat = asked([spec(...'abcdef'), 9000], [spec(...'ghijk'), 5000], [spec('z'), 4000])
  expect(builds(plan(heat, 0))[0]).toBe('s3 a,b,c,d,e,f,time,z')
  expect(builds(plan(heat, 0, { notCopied: new Map([['t', new Set(['a'])]]) }))[0]).toBe('s3 g,h,i,j,k,time,z')
})

test('a copy is made anew with more columns only when those are worth it, and then the one it covers goes', () => {
  const has = [1, 2, 3].map((number) => built(number, spec('a')))
  const ofAll = (heat: Heat): string[] => builds(plan(heat, 2 * HOUR_MS, { built: has }))
  const much = asked([spec('a'), 50_000], [spec('b'), 10_000])
  expect(ofAll(much)).toEqual(['s3 a,b,time', 's2 a,b,time', 's1 a,b,time'])
  expect(ofAll(asked([spec('a'), 50_000], [spec('b'), 4 * HEAT.buildMs - 1]))).toEqual([])
  const { drop } = plan(much, 0, { built: [...has, built(3, spec('a', 'b'))], budgetMin: 1e9 })
  expect(drop.map(({ artefact, why }) => `${artefact.file} ${why}`)).toEqual(['3 a,time covered'])
})

test('a copy is warm while all questions that it serves are, together', () => {
  const heat = asked([spec('a'), 9000])
  const ofTwo = spec('a', 'b')
  const two = built(1, ofTwo)
  const whyAt = (nowMs: number): string[] => plan(heat, nowMs, { built: [two] }).drop.map(({ why }) => why)
  for (const hour of [1, 5]) expect(whyAt(hour * HOUR_MS)).toEqual([])
  expect(whyAt(10 * HOUR_MS)).toEqual([])
  expect(whyAt(12 * HOUR_MS)).toEqual(['cold'])
  const little = asked([spec('a'), 300], [spec('b'), 300], [spec('c'), 300])
  expect(heatOfNative(ofTwo, little.wants(0))).toEqual({ heat: 600, coolSinceMs: null })
})

const columns: ColumnTypes = { time: 'TIMESTAMP', service: 'VARCHAR', ms: 'DOUBLE', n: 'BIGINT', sample_rate: 'BIGINT', ms$str: 'VARCHAR' }
const once = { unread: ['time'], hasTextKeys: false }

test('a question wants its stored columns and those its derived ones are made of; none whose type was another one', () => {
  const derived = [{ name: 'twice', sql: '"ms" * 2 + N', type: 'DOUBLE' as const }]
  expect(Object.keys(nativeQuestion({ columns, derived }, ['twice', 'service'], once)?.spec.columns ?? {})).toEqual([
    'ms',
    'n',
    'service',
    'time',
  ])
  expect(nativeQuestion({ columns, retyped: ['ms'] }, ['n'], once)).not.toBeNull()
  for (const name of ['ms', 'ms$str']) expect(nativeQuestion({ columns, retyped: ['ms'] }, [name], once)).toBeNull()
  expect(nativeQuestion({ columns }, ['gone'], once)).toBeNull()
})

test('a code counts as a whole number, and what it stands for as nothing', () => {
  const { spec: of, savedNs } = nativeQuestion({ columns }, ['ms'], {
    codes: [TICK, bucketColumn('ms')],
    unread: ['time', 'ms'],
    hasTextKeys: false,
  }) ?? { savedNs: 0 }
  expect([of?.columns, savedNs]).toEqual([{ [TICK]: 'BIGINT', [bucketColumn('ms')]: 'BIGINT', ms: 'DOUBLE', time: 'TIMESTAMP' }, 6])
})

test('a copy covers what has the same columns in the same types', () => {
  expect(coversNative(spec('a', 'b'), spec('a'))).toBe(true)
  expect(coversNative(spec('a'), spec('a', 'b'))).toBe(false)
  expect(coversNative(spec('a'), { kind: 'native', columns: { a: 'BIGINT' } })).toBe(false)
})

test('a question that gains less than 1.15 times is none to make copies for; texts alone gain nothing', () => {
  const numbers = nativeQuestion({ columns }, ['ms', 'sample_rate'], once)
  const texts = nativeQuestion({ columns }, ['service'], { unread: [], hasTextKeys: true })
  if (!numbers || !texts) throw new Error('both are questions')
  const savedMs = nativeSavedMs(numbers, 10_000_000, 2)
  expect(savedMs).toBe(75)
  expect(isWorthCopies(savedMs, 574)).toBe(true)
  expect(isWorthCopies(savedMs, 576)).toBe(false)
  expect(isWorthCopies(nativeSavedMs(texts, 10_000_000, 2), 1)).toBe(false)
})

test('a view reads a copy in place of its segment within the same bounds; a column it does not have is an error, never a NULL', () => {
  const file = { path: '/s/a.parquet', kind: 'segment' as const, minUs: 0, maxUs: 5_000_000, rows: 1 }
  const copy = { name: 'a.parquet-native-1', path: '/a/a.parquet-native-1', columns: ['ms', 'time'] }
  const { sql } = viewSql({ columns: { time: 'TIMESTAMP', ms: 'DOUBLE', n: 'BIGINT' }, files: [{ ...file, copy }], sinceMs: 1000 })
  expect(sql).not.toContain('read_parquet')
  expect(sql).toContain(
    `SELECT "time", "ms", error('n is not in the copy')::BIGINT AS "n" FROM "a.parquet-native-1".main.copied WHERE "time" >= make_timestamp(1000000)`,
  )
  const stretches = [{ minUs: 2_000_000, maxUs: 3_000_000 }]
  expect(viewSql({ columns: { ms: 'DOUBLE' }, files: [{ ...file, copy, stretches }] }).sql).toContain(
    `FROM "a.parquet-native-1".main.copied WHERE "time" >= make_timestamp(2000000) AND "time" <= make_timestamp(3000000)`,
  )
})
