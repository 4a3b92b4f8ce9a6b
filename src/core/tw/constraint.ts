import { compilePattern } from '../kernel/pattern.ts'
import { compareToBound, parseVersion } from '../kernel/version.ts'
import type { Constraint } from './schema.ts'

/** Operators as they are written, longest first, and what they are called. */
const OPERATORS: readonly (readonly [RegExp, Constraint['operator']])[] = [
  [/^(is not set|is-not-set)$/, 'is-not-set'],
  [/^(is set|is-set)$/, 'is-set'],
  [/^(?:not in|not-in)\b/, 'not-in'],
  [/^in\b/, 'in'],
  [/^has\b/, 'has'],
  [/^!=/, '!='],
  [/^<=/, '<='],
  [/^>=/, '>='],
  [/^</, '<'],
  [/^>/, '>'],
  [/^~/, '~'],
  [/^=/, '='],
]

/**
 * One constraint, or a sentence saying what is wrong with it:
 *
 *     node.region = eu                node.region in [eu, us]       node.meta.tier is set
 *     node.arch != arm64              node.region not in [eu, us]   node.meta.tier is not set
 *     node.kernel >= 6.1              node.name ~ ^web-\d+$         node.features has [avx2, sse4]
 */
export function parseConstraint(text: string): Constraint | string {
  const match = /^\s*(node(?:\.[A-Za-z0-9_-]+)+)\s*(.*?)\s*$/.exec(text)
  const [, attribute = '', rest = ''] = match ?? []
  const [pattern, operator] = OPERATORS.find(([candidate]) => candidate.test(rest)) ?? []
  if (!match || !pattern || !operator) return `"${text}" is not of the form \`node.region = eu\`; the operators are ${OPERATOR_NAMES}`
  const right = rest.replace(pattern, '').trim()
  const values = valuesOf(operator, right)
  const problem = problemOf(operator, values)
  return problem === null ? { attribute, operator, values, text } : `"${text}": ${problem}`
}

const OPERATOR_NAMES = '= != < <= > >= ~ in not-in has is-set is-not-set'

function valuesOf(operator: Constraint['operator'], right: string): string[] {
  if (operator === 'is-set' || operator === 'is-not-set') return []
  if (operator !== 'in' && operator !== 'not-in' && operator !== 'has') return right === '' ? [] : [right]
  return listOf(right.replace(/^\[(.*)\]$/, '$1'))
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== '')
}

function problemOf(operator: Constraint['operator'], values: readonly string[]): string | null {
  if (operator === 'is-set' || operator === 'is-not-set') return null
  const [first] = values
  if (first === undefined) return 'it names no value'
  if (operator === '=' && first.startsWith('=')) return 'equality is written with one ='
  if (operator === '~') {
    const pattern = compilePattern(first)
    return typeof pattern === 'string' ? pattern : null
  }
  const isOrder = operator === '<' || operator === '<=' || operator === '>' || operator === '>='
  return isOrder && parseVersion(first) === null ? `${first} is neither a version nor a number` : null
}

/** What a node's attributes are tested with: keys as in `attributesOf`, without `node.`. */
export type Test = (attributes: Readonly<Record<string, string>>) => boolean

/** The test of a constraint, worked out once. A missing attribute fails everything but `!=`, `not-in` and `is-not-set`. */
export function compileConstraint(constraint: Constraint): Test {
  const key = constraint.attribute.slice('node.'.length)
  const test = valueTest(constraint)
  const isMetByNothing = constraint.operator === '!=' || constraint.operator === 'not-in' || constraint.operator === 'is-not-set'
  return (attributes) => {
    const value = Object.hasOwn(attributes, key) ? attributes[key] : undefined
    return value === undefined ? isMetByNothing : test(value)
  }
}

function valueTest({ operator, values }: Constraint): (value: string) => boolean {
  const [first = ''] = values
  if (operator === 'is-set') return () => true
  if (operator === 'is-not-set') return () => false
  if (operator === '=' || operator === 'in') return (value) => values.includes(value)
  if (operator === '!=' || operator === 'not-in') return (value) => !values.includes(value)
  if (operator === 'has') return (value) => hasAll(listOf(value), values)
  if (operator === '~') {
    const pattern = compilePattern(first)
    return (value) => typeof pattern !== 'string' && pattern.test(value)
  }
  const bound = parseVersion(first)
  return (value) => {
    const actual = parseVersion(value)
    if (actual === null || bound === null) return false
    const order = compareToBound(actual, bound)
    return operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0
  }
}

function hasAll(have: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((value) => have.includes(value))
}

const compiled = new WeakMap<Constraint, Test>()

/** {@link compileConstraint}, remembered for as long as the constraint's own object lives. */
export function meets(constraint: Constraint, attributes: Readonly<Record<string, string>>): boolean {
  let test = compiled.get(constraint)
  if (test === undefined) {
    test = compileConstraint(constraint)
    compiled.set(constraint, test)
  }
  return test(attributes)
}
