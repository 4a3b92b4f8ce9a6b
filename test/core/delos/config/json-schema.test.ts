import { describe, expect, test } from 'vitest'
import { schemaProblem } from '../../../../src/core/delos/config/json-schema-form.ts'
import type { JsonSchema } from '../../../../src/core/delos/config/json-schema-parts.ts'
import { schemaIssues } from '../../../../src/core/delos/config/json-schema.ts'

/** keyword, schema, values that fit, values that do not (as the draft's own test suite has them) */
const CASES: [string, JsonSchema, unknown[], unknown[]][] = [
  ['true and false', { properties: { a: true, b: false } }, [{ a: 1 }, {}], [{ b: 1 }]],
  ['type', { type: 'integer' }, [1, 1.0, -3], [1.5, '1', null, true, [], {}]],
  ['type, several', { type: ['string', 'null'] }, ['', null], [0, false, {}]],
  ['type of lists and objects', { type: 'object' }, [{}], [[], null, 'x']],
  ['enum', { enum: [1, 'a', null, { b: [1] }] }, [1, 'a', null, { b: [1] }], [2, 'b', { b: [2] }, false]],
  ['const', { const: { a: 1, b: 2 } }, [{ b: 2, a: 1 }], [{ a: 1 }, null]],
  ['const false is not 0', { const: false }, [false], [0, null, '']],
  ['bounds', { minimum: 1, exclusiveMaximum: 3 }, [1, 2.9, 'no number'], [0.9, 3]],
  ['multipleOf', { multipleOf: 0.1 }, [0.3, 4.2, 'x'], [0.35]],
  ['lengths count characters, not code units', { minLength: 2, maxLength: 3 }, ['ab', '💩💩💩', 5], ['a', '💩', 'abcd']],
  ['pattern is not anchored', { pattern: 'a+' }, ['xay', 7], ['bbb']],
  ['items', { items: { type: 'integer' } }, [[1, 2], [], { 0: 'x' }], [[1, 'x']]],
  ['items after prefixItems', { prefixItems: [{ type: 'string' }], items: { type: 'integer' } }, [['a', 1], ['a'], []], [[1], ['a', 'b']]],
  ['contains', { contains: { const: 1 } }, [[2, 1]], [[2], []]],
  ['minContains and maxContains', { contains: { const: 1 }, minContains: 2, maxContains: 2 }, [[1, 1]], [[1], [1, 1, 1]]],
  ['item counts', { minItems: 1, maxItems: 2 }, [[1], [1, 2], 'x'], [[], [1, 2, 3]]],
  [
    'uniqueItems',
    { uniqueItems: true },
    [
      [1, '1', [1]],
      [{ a: 1 }, { a: 2 }],
    ],
    [
      [1, 1],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ],
  ],
  ['required without a type', { required: ['a'] }, [{ a: null }, 'no object', []], [{}, { b: 1 }]],
  ['required __proto__', { required: ['__proto__', 'toString'] }, [JSON.parse('{"__proto__":1,"toString":2}')], [{}]],
  [
    'additionalProperties',
    { properties: { a: {} }, patternProperties: { '^x': {} }, additionalProperties: false },
    [{ a: 1, xy: 2 }],
    [{ b: 1 }],
  ],
  ['additionalProperties with a schema', { additionalProperties: { type: 'integer' } }, [{ a: 1 }], [{ a: 'x' }]],
  ['patternProperties', { patternProperties: { '^n': { type: 'integer' } } }, [{ n1: 1, a: 'x' }], [{ n1: 'x' }]],
  ['propertyNames', { propertyNames: { maxLength: 2 } }, [{ ab: 1 }, 5], [{ abc: 1 }]],
  ['property counts', { minProperties: 1, maxProperties: 2 }, [{ a: 1 }], [{}, { a: 1, b: 1, c: 1 }]],
  ['dependentRequired', { dependentRequired: { a: ['b'] } }, [{ b: 1 }, { a: 1, b: 1 }], [{ a: 1 }]],
  ['dependentSchemas', { dependentSchemas: { a: { minProperties: 2 } } }, [{ b: 1 }, { a: 1, b: 1 }], [{ a: 1 }]],
  ['allOf', { allOf: [{ required: ['a'] }, { required: ['b'] }] }, [{ a: 1, b: 1 }], [{ a: 1 }]],
  ['anyOf', { anyOf: [{ type: 'string' }, { minimum: 5 }] }, ['x', 6], [4]],
  ['oneOf', { oneOf: [{ type: 'integer' }, { minimum: 2 }] }, [1, 2.5], [3, 1.5]],
  ['not', { not: { type: 'string' } }, [1], ['x']],
  ['if, then, else', { if: { const: 1 }, then: { type: 'integer' }, else: { type: 'string' } }, [1, 'x'], [2]],
  ['$ref', { $defs: { 'a/b': { type: 'integer' } }, properties: { x: { $ref: '#/$defs/a~1b' } } }, [{ x: 1 }], [{ x: 'y' }]],
  ['$ref beside others', { $defs: { n: { type: 'integer' } }, $ref: '#/$defs/n', minimum: 3 }, [3], [2, 'x']],
  [
    '$ref to itself',
    { properties: { next: { $ref: '#' } }, additionalProperties: false },
    [{ next: { next: {} } }],
    [{ next: { other: 1 } }],
  ],
  ['format is a remark', { format: 'email' }, ['no email', 5], []],
]

describe.each(CASES)('%s', (_name, schema, fitting, misfits) => {
  test('accepts and refuses as the draft says', () => {
    expect(schemaProblem(schema)).toBeNull()
    for (const value of fitting) expect(schemaIssues(schema, value), JSON.stringify(value)).toEqual([])
    for (const value of misfits) expect(schemaIssues(schema, value), JSON.stringify(value)).not.toEqual([])
  })
})

test('what is wrong is said with its place', () => {
  const schema = { properties: { pools: { items: { required: ['size'], properties: { size: { maximum: 9 } } } } } }
  expect(schemaIssues(schema, { pools: [{ size: 10 }, {}] })).toEqual([
    'pools[0].size: must be at most 9, is 10',
    'pools[1].size: is missing',
  ])
})

test('a schema that would not be checked whole is refused, by the place of what is in the way', () => {
  const refused: [unknown, string][] = [
    [{ requird: ['a'] }, '#/requird'],
    [{ properties: { a: { typ: 'string' } } }, '#/properties/a/typ'],
    [{ type: 'strng' }, '#/type'],
    [{ exclusiveMinimum: true, minimum: 3 }, '#/exclusiveMinimum'],
    [{ items: [{ type: 'string' }] }, '#/items'],
    [{ unevaluatedProperties: false }, '#/unevaluatedProperties'],
    [{ $ref: 'https://example.com/schema.json' }, '#/$ref'],
    [{ $ref: '#/$defs/none' }, '#/$ref'],
    [{ $ref: '#/%zz' }, '#/$ref'],
    [{ pattern: '(' }, '#/pattern'],
    [{ anyOf: [] }, '#/anyOf'],
    [{ minLength: -1 }, '#/minLength'],
    [[], '#'],
    [null, '#'],
  ]
  for (const [schema, place] of refused)
    expect(schemaProblem(schema), JSON.stringify(schema)).toSatisfy((text: string) =>
      [`${place} `, `${place}:`].some((start) => text.startsWith(start)),
    )
})

test('a pattern that could take for ever is refused, one that cannot is not', () => {
  for (const pattern of ['(a+)+$', '(a*b?)*', '((ab)+c)*x', '(?:[a-z]+){2,}']) expect(schemaProblem({ pattern }), pattern).not.toBeNull()
  for (const pattern of ['^[a-z]+(-[a-z]+)?$', '^(\\d+\\.){3}\\d+$', '^(\\+)*$', '[(]+', '(ab)+', '(a|b)*'])
    expect(schemaProblem({ pattern }), pattern).toBeNull()
})

test('no schema and no value makes the check run for ever or out of stack', () => {
  expect(schemaIssues({ $ref: '#' }, 1)).not.toEqual([])
  const $defs = Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [`d${i}`, { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] }]),
  )
  expect(schemaIssues({ not: { $ref: '#' } }, 1), 'what was not checked whole never fits').not.toEqual([])
  const schema = { $defs: { ...$defs, d60: { const: 1 } }, $ref: '#/$defs/d0' }
  expect(schemaProblem(schema)).toBeNull()
  expect(schemaIssues(schema, 2)).not.toEqual([])
  expect(schemaIssues({ $defs: schema.$defs, not: { $ref: '#/$defs/d0' } }, 2)).not.toEqual([])
  const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown
  expect(schemaIssues({ items: { $ref: '#' } }, deep)).not.toEqual([])
  expect(schemaProblem(JSON.parse('{"not":'.repeat(5000) + 'true' + '}'.repeat(5000)))).toContain('deeper')
})
