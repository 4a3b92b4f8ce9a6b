import { canonicalJson } from '../../kernel/json.ts'
import { DEPTH_MAX, isObject, partOf, type JsonSchema } from './json-schema-parts.ts'

/** Schemas applied to one value in all; `anyOf` of references can double the work at each level. */
const STEPS_MAX = 250_000
const ISSUES_MAX = 20
/** Longest text a pattern is tried on. */
const PATTERN_TEXT_MAX = 1024

/**
 * What is wrong with a value, each with its place (`limits.retries: …`), {@link ISSUES_MAX} at most; none: it fits.
 * @param schema one that `schemaProblem` found nothing wrong with
 */
export function schemaIssues(schema: JsonSchema, value: unknown): string[] {
  const check: Check = { root: schema, steps: 0, cut: null }
  const issues = issuesAt(check, schema, value, '', 0)
  // Below a `not` or an `anyOf` an issue can be what lets a value pass; one of a check that was cut short never does.
  return (check.cut === null ? issues : [check.cut]).slice(0, ISSUES_MAX)
}

interface Check {
  root: JsonSchema
  steps: number
  /** why it was not carried out whole */
  cut: string | null
}

function issuesAt(check: Check, schema: unknown, value: unknown, at: string, depth: number): string[] {
  if (schema === true) return []
  if (!isObject(schema)) return [issue(at, 'must not be there')]
  check.steps += 1
  if (depth > DEPTH_MAX) check.cut ??= issue(at, `the schema and the value together are nested deeper than ${DEPTH_MAX}`)
  if (check.steps > STEPS_MAX) check.cut ??= issue(at, 'checking this takes too long')
  if (check.cut !== null) return [check.cut]
  const on = (part: unknown, inner: unknown, place = at): string[] => issuesAt(check, part, inner, place, depth + 1)
  const issues = [...choices(check.root, schema, value, at, on)]
  if (typeof value === 'number') issues.push(...ofNumber(schema, value, at))
  else if (typeof value === 'string') issues.push(...ofText(schema, value, at))
  else if (Array.isArray(value)) issues.push(...ofList(schema, value, at, on))
  else if (isObject(value)) issues.push(...ofObject(schema, value, at, on))
  return issues
}

type On = (schema: unknown, value: unknown, at?: string) => string[]
type Keywords = Readonly<Record<string, unknown>>

/** Keywords that ask of any value. */
function choices(root: JsonSchema, schema: Keywords, value: unknown, at: string, on: On): string[] {
  const issues: string[] = []
  const fits = (part: unknown): boolean => on(part, value).length === 0
  if (schema['type'] !== undefined) {
    const types = Array.isArray(schema['type']) ? schema['type'] : [schema['type']]
    if (!types.some((type) => isOfType(type as string, value))) issues.push(issue(at, `must be ${types.join(' or ')}`))
  }
  if (Array.isArray(schema['enum']) && !schema['enum'].some((one) => isSame(one, value)))
    issues.push(issue(at, `must be one of ${schema['enum'].map((one) => JSON.stringify(one)).join(', ')}`))
  if ('const' in schema && !isSame(schema['const'], value)) issues.push(issue(at, `must be ${JSON.stringify(schema['const'])}`))
  if (typeof schema['$ref'] === 'string') issues.push(...on(partOf(root, schema['$ref']), value))
  for (const part of listOf(schema['allOf'])) issues.push(...on(part, value))
  if (schema['anyOf'] !== undefined && !listOf(schema['anyOf']).some(fits)) issues.push(issue(at, 'fits none of what is allowed (anyOf)'))
  if (schema['oneOf'] !== undefined) {
    const matches = listOf(schema['oneOf']).filter(fits).length
    if (matches !== 1) issues.push(issue(at, `must fit exactly one of what is allowed (oneOf), fits ${matches}`))
  }
  if (schema['not'] !== undefined && fits(schema['not'])) issues.push(issue(at, 'is what must not be (not)'))
  if (schema['if'] !== undefined) issues.push(...on(schema[fits(schema['if']) ? 'then' : 'else'] ?? true, value))
  return issues
}

function ofNumber(schema: Keywords, value: number, at: string): string[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema as Readonly<Record<string, number | undefined>>
  const issues: string[] = []
  if (minimum !== undefined && value < minimum) issues.push(issue(at, `must be at least ${minimum}, is ${value}`))
  if (maximum !== undefined && value > maximum) issues.push(issue(at, `must be at most ${maximum}, is ${value}`))
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) issues.push(issue(at, `must be above ${exclusiveMinimum}, is ${value}`))
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) issues.push(issue(at, `must be below ${exclusiveMaximum}, is ${value}`))
  // 0.3 is a multiple of 0.1, whatever binary fractions say.
  if (multipleOf !== undefined && Math.abs(value / multipleOf - Math.round(value / multipleOf)) > 1e-9)
    issues.push(issue(at, `must be a multiple of ${multipleOf}, is ${value}`))
  return issues
}

function ofText(schema: Keywords, value: string, at: string): string[] {
  const issues = ofSize(schema, 'minLength', 'maxLength', [...value].length, 'characters', at)
  const pattern = schema['pattern']
  if (typeof pattern === 'string') {
    if (value.length > PATTERN_TEXT_MAX) issues.push(issue(at, `is longer than the ${PATTERN_TEXT_MAX} characters a pattern is tried on`))
    else if (!new RegExp(pattern, 'u').test(value)) issues.push(issue(at, `must match ${pattern}`))
  }
  return issues
}

function ofList(schema: Keywords, value: readonly unknown[], at: string, on: On): string[] {
  const issues = ofSize(schema, 'minItems', 'maxItems', value.length, 'items', at)
  if (schema['uniqueItems'] === true && new Set(value.map(canonicalJson)).size < value.length)
    issues.push(issue(at, 'must not hold the same item twice'))
  const prefix = listOf(schema['prefixItems'])
  value.forEach((item, i) => {
    const part = i < prefix.length ? prefix[i] : schema['items']
    if (part !== undefined && issues.length < ISSUES_MAX) issues.push(...on(part, item, `${at}[${i}]`))
  })
  if (schema['contains'] !== undefined) {
    const matches = value.filter((item) => on(schema['contains'], item).length === 0).length
    const bounds = { minContains: schema['minContains'] ?? 1, maxContains: schema['maxContains'] }
    issues.push(...ofSize(bounds, 'minContains', 'maxContains', matches, 'items of the kind it has to contain', at))
  }
  return issues
}

function ofObject(schema: Keywords, value: Keywords, at: string, on: On): string[] {
  const names = Object.keys(value)
  const issues = ofSize(schema, 'minProperties', 'maxProperties', names.length, 'properties', at)
  const under = (name: string): string => (at === '' ? name : `${at}.${name}`)
  const need = (wanted: unknown, because: string): void => {
    for (const name of listOf(wanted) as string[]) if (!Object.hasOwn(value, name)) issues.push(issue(under(name), `is missing${because}`))
  }
  need(schema['required'], '')
  for (const [name, wanted] of entriesOf(schema['dependentRequired'])) if (Object.hasOwn(value, name)) need(wanted, `, as ${name} is there`)
  for (const [name, part] of entriesOf(schema['dependentSchemas'])) if (Object.hasOwn(value, name)) issues.push(...on(part, value))
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const patterns = entriesOf(schema['patternProperties']).map(([pattern, part]) => ({ pattern: new RegExp(pattern, 'u'), part }))
  for (const name of names) {
    if (issues.length >= ISSUES_MAX) break
    const parts = patterns.filter(({ pattern }) => pattern.test(name.slice(0, PATTERN_TEXT_MAX))).map(({ part }) => part)
    if (Object.hasOwn(properties, name)) parts.push(properties[name])
    if (parts.length === 0 && schema['additionalProperties'] !== undefined) {
      if (schema['additionalProperties'] === false) issues.push(issue(under(name), 'is not known'))
      else parts.push(schema['additionalProperties'])
    }
    for (const part of parts) issues.push(...on(part, value[name], under(name)))
    if (schema['propertyNames'] !== undefined && on(schema['propertyNames'], name).length > 0)
      issues.push(issue(under(name), 'is not a name it may have'))
  }
  return issues
}

function ofSize(schema: Keywords, min: string, max: string, size: number, what: string, at: string): string[] {
  const [least, most] = [schema[min], schema[max]]
  if (typeof least === 'number' && size < least) return [issue(at, `must have at least ${least} ${what}, has ${size}`)]
  if (typeof most === 'number' && size > most) return [issue(at, `must have at most ${most} ${what}, has ${size}`)]
  return []
}

function isOfType(type: string, value: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function issue(at: string, text: string): string {
  return `${at === '' ? 'the document' : at}: ${text}`
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b)
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function entriesOf(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : []
}
