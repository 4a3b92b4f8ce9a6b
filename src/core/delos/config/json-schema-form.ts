import { DEPTH_MAX, isObject, partOf } from './json-schema-parts.ts'

/*
 * JSON Schema, draft 2020-12, as far as a configuration needs it. zod's `fromJSONSchema` ignores what it does not know and what
 * stands without a `type` (`{"required": ["a"]}` passes everything); a check that passes by not looking is none. Here every
 * keyword is checked or the schema is refused by its name. `format` is a remark, as the draft has it by default.
 */

/** What the argument of a keyword must be. */
type Form =
  | 'remark'
  | 'any'
  | 'types'
  | 'number'
  | 'positive'
  | 'count'
  | 'flag'
  | 'pattern'
  | 'list'
  | 'names'
  | 'namesByName'
  | 'ref'
  | 'schema'
  | 'schemas'
  | 'schemaByName'
  | 'schemaByPattern'

const FORMS: Readonly<Record<string, Form>> = {
  $schema: 'remark',
  $id: 'remark',
  $comment: 'remark',
  title: 'remark',
  description: 'remark',
  default: 'remark',
  examples: 'remark',
  deprecated: 'remark',
  readOnly: 'remark',
  writeOnly: 'remark',
  format: 'remark',
  $ref: 'ref',
  $defs: 'schemaByName',
  definitions: 'schemaByName',
  type: 'types',
  enum: 'list',
  const: 'any',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'positive',
  minLength: 'count',
  maxLength: 'count',
  pattern: 'pattern',
  items: 'schema',
  prefixItems: 'schemas',
  contains: 'schema',
  minContains: 'count',
  maxContains: 'count',
  minItems: 'count',
  maxItems: 'count',
  uniqueItems: 'flag',
  properties: 'schemaByName',
  patternProperties: 'schemaByPattern',
  additionalProperties: 'schema',
  propertyNames: 'schema',
  required: 'names',
  minProperties: 'count',
  maxProperties: 'count',
  dependentRequired: 'namesByName',
  dependentSchemas: 'schemaByName',
  allOf: 'schemas',
  anyOf: 'schemas',
  oneOf: 'schemas',
  not: 'schema',
  if: 'schema',
  then: 'schema',
  else: 'schema',
}

const TYPES = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object']

/** Why this is no schema that can be checked here, with the place; null: it is one. */
export function schemaProblem(schema: unknown): string | null {
  return problemAt(schema, '#', schema, 0)
}

function problemAt(schema: unknown, at: string, root: unknown, depth: number): string | null {
  if (typeof schema === 'boolean') return null
  if (!isObject(schema)) return `${at} is neither an object nor true or false`
  if (depth > DEPTH_MAX) return `${at} is nested deeper than ${DEPTH_MAX}`
  for (const [keyword, argument] of Object.entries(schema)) {
    const place = `${at}/${keyword}`
    const form = Object.hasOwn(FORMS, keyword) ? FORMS[keyword] : undefined
    if (form === undefined) return `${place}: this keyword is not known, so nothing would check it`
    const problem = argumentProblem(form, argument, place, root, depth)
    if (problem !== null) return problem
  }
  return null
}

function argumentProblem(form: Form, argument: unknown, at: string, root: unknown, depth: number): string | null {
  const each = (parts: readonly (readonly [string | number, unknown])[]): string | null => {
    for (const [name, part] of parts) {
      const problem = problemAt(part, `${at}/${name}`, root, depth + 1)
      if (problem !== null) return problem
    }
    return null
  }
  switch (form) {
    case 'remark':
    case 'any':
      return null
    case 'types': {
      const types = Array.isArray(argument) ? argument : [argument]
      const unknown = types.find((type) => !TYPES.includes(type as string))
      return types.length > 0 && unknown === undefined ? null : `${at}: ${JSON.stringify(unknown)} is no type`
    }
    case 'number':
      return typeof argument === 'number' ? null : `${at} is not a number`
    case 'positive':
      return typeof argument === 'number' && argument > 0 ? null : `${at} is not a number above 0`
    case 'count':
      return Number.isInteger(argument) && Number(argument) >= 0 ? null : `${at} is not a count`
    case 'flag':
      return typeof argument === 'boolean' ? null : `${at} is not true or false`
    case 'pattern':
      return typeof argument === 'string' ? patternProblem(argument, at) : `${at} is not a text`
    case 'list':
      return Array.isArray(argument) && argument.length > 0 ? null : `${at} is not a list`
    case 'names':
      return isNames(argument) ? null : `${at} is not a list of names`
    case 'namesByName':
      return isObject(argument) && Object.values(argument).every(isNames) ? null : `${at} is not a map of lists of names`
    case 'ref': {
      if (typeof argument !== 'string' || !/^#(\/|$)/.test(argument)) return `${at}: only references within the schema (#/…) are followed`
      const target = partOf(root, argument)
      return typeof target === 'boolean' || isObject(target) ? null : `${at}: ${argument} leads nowhere`
    }
    case 'schema':
      return Array.isArray(argument)
        ? `${at} is a list; write prefixItems for one schema an item`
        : problemAt(argument, at, root, depth + 1)
    case 'schemas':
      return Array.isArray(argument) && argument.length > 0 ? each([...argument.entries()]) : `${at} is not a list of schemas`
    case 'schemaByName':
      return isObject(argument) ? each(Object.entries(argument)) : `${at} is not a map of schemas`
    case 'schemaByPattern': {
      if (!isObject(argument)) return `${at} is not a map of schemas`
      for (const pattern of Object.keys(argument)) {
        const problem = patternProblem(pattern, at)
        if (problem !== null) return problem
      }
      return each(Object.entries(argument))
    }
  }
}

/** A repeated group that repeats within itself can take for ever on a short text, and the decision stands in everybody's way. */
function patternProblem(pattern: string, at: string): string | null {
  try {
    void new RegExp(pattern, 'u')
  } catch (error) {
    // What the engine says of a bad pattern is the message.
    return `${at}: ${error instanceof Error ? error.message : String(error)}`
  }
  const plain = pattern.replaceAll(/\\./gu, '_').replaceAll(/\[[^\]]*\]/g, '_')
  return hasNestedRepeat(plain) ? `${at}: ${pattern} repeats a group that repeats within itself; write it without` : null
}

/** In a pattern without escapes and classes: is there `(…*…)*`, also with groups between? */
function hasNestedRepeat(pattern: string): boolean {
  const open: boolean[] = []
  let repeats = false
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern[i]
    if (char === '(') {
      open.push(repeats)
      repeats = false
    } else if (char === ')') {
      const isRepeated = isUnbounded(pattern, i + 1)
      if (isRepeated && repeats) return true
      repeats = (open.pop() ?? false) || repeats || isRepeated
    } else if (isUnbounded(pattern, i)) repeats = true
  }
  return false
}

function isUnbounded(pattern: string, at: number): boolean {
  return pattern[at] === '*' || pattern[at] === '+' || /^\{\d+,\}/.test(pattern.slice(at, at + 12))
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === 'string')
}
