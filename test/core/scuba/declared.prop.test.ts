import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compatibility } from '../../../src/core/scuba/declared/compatibility.ts'
import { declarationSchema, type Declaration } from '../../../src/core/scuba/declared/declaration.ts'
import { shapeOf } from '../../../src/core/scuba/declared/shape.ts'
import { rowRuleSchema } from '../../../src/core/scuba/declared/rules.ts'
import { ColumnSet, type ColumnTypes } from '../../../src/core/scuba/rows/columns.ts'
import { normaliseRow } from '../../../src/core/scuba/rows/normalise.ts'
import { tableConfigSchema } from '../../../src/core/scuba/registry.ts'

const column = fc.record(
  {
    type: fc.constantFrom('BIGINT', 'DOUBLE', 'VARCHAR', 'BOOLEAN'),
    required: fc.boolean(),
    enum: fc.uniqueArray(fc.constantFrom<string | number>('a', 'b', 1, 2, 3), { minLength: 1, maxLength: 4 }),
    range: fc.tuple(fc.constantFrom(null, 0, 1), fc.constantFrom(null, 2, 5)),
    regex: fc.constantFrom('^a', 'b'),
    on_fail: fc.constantFrom('quarantine', 'warn'),
  },
  { requiredKeys: ['type'] },
)
const declaration = fc
  .record({
    mode: fc.constantFrom('open', 'closed', 'strict'),
    columns: fc.dictionary(fc.constantFrom('x', 'y', 'z'), column, { maxKeys: 3 }),
  })
  .map((parts) => declarationSchema.parse({ table: 't', ...parts }))
const row = fc.dictionary(fc.constantFrom('x', 'y', 'z', 'other'), fc.constantFrom<unknown>('a', 'b', 'ab', 0, 1, 2, 3, 9, null), {
  maxKeys: 4,
})

const typesOf = ({ columns }: Declaration): ColumnTypes =>
  Object.fromEntries(Object.entries(columns).map(([name, { type }]) => [name, type]))

/** Whether a row is taken by a table that is declared so, and knows these columns. */
function isTaken(declared: Declaration, known: ColumnTypes, one: Record<string, unknown>): boolean {
  const rules = Object.fromEntries(Object.entries(declared.columns).map(([name, rule]) => [name, rowRuleSchema.parse(rule)]))
  const shape = shapeOf(tableConfigSchema.parse({ version: 1, mode: declared.mode, rules }))
  if (shape.check(one)[0]?.isEnforced) return false
  return typeof normaliseRow(one, new ColumnSet({ ...known, ...typesOf(declared) }), 1_800_000_000_000, shape) !== 'string'
}

/** The first declaration, with what is named here from the second. */
function mixed(before: Declaration, other: Declaration, changed: readonly string[]): Declaration {
  const columns = Object.fromEntries(
    ['x', 'y', 'z'].flatMap((name) => {
      const rule = (changed.includes(name) ? other : before).columns[name]
      return rule === undefined ? [] : [[name, rule]]
    }),
  )
  return { ...before, mode: changed.includes('mode') ? other.mode : before.mode, columns }
}

test('a row that was taken before a change that is not breaking is taken after it', () => {
  fc.assert(
    fc.property(declaration, declaration, fc.subarray(['x', 'y', 'z', 'mode']), row, (before, other, changed, one) => {
      // Most of it stays: two declarations that have nothing in common nearly always break.
      const after = mixed(before, other, changed)
      const known = typesOf(before)
      const { verdict } = compatibility({ declaration: before, columns: known }, after)
      fc.pre(verdict !== 'breaking' && isTaken(before, known, one))
      expect(isTaken(after, known, one)).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('the same declaration again changes nothing, and types only widen without breaking', () => {
  fc.assert(
    fc.property(declaration, declaration, (before, after) => {
      expect(compatibility({ declaration: before, columns: typesOf(before) }, before).verdict).toMatch(/^(same|new)$/)
      const { verdict, changes } = compatibility({ declaration: before, columns: typesOf(before) }, after)
      for (const [name, { type }] of Object.entries(after.columns)) {
        const was = before.columns[name]?.type
        if (was === undefined || was === type) continue
        const own = changes.find((change) => change.column === name && change.text.includes('becomes'))
        expect(own?.verdict).toBe(was === 'BIGINT' && type === 'DOUBLE' ? 'widening' : 'breaking')
        if (own?.verdict === 'breaking') expect(verdict).toBe('breaking')
      }
    }),
  )
})
