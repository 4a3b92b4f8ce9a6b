import type { $ZodIssue, $ZodIssueTooBig, $ZodIssueTooSmall } from 'zod/v4/core'
import { z } from 'zod'
import { nearest } from '../nearest.ts'
import { jobFileSchema } from '../schema.ts'
import { isNotYet } from './not-yet.ts'

/** One thing wrong with a document: where, what, and what was probably meant. */
export interface SpecIssue {
  path: (string | number)[]
  /** set when the key itself, not its value, is wrong */
  key?: string
  message: string
}

/** `groups.api.main.env`, for messages where no file and line are known. */
export function pathText(issue: SpecIssue): string {
  return [...issue.path, ...(issue.key === undefined ? [] : [issue.key])].join('.') || 'the document'
}

/** What zod found, in words a person can act on. */
export function explainIssue(issue: $ZodIssue, document: unknown): SpecIssue[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code === 'unrecognized_keys') return issue.keys.flatMap((key) => (isNotYet([...path, key]) ? [] : [unknownKey(path, key)]))
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? 'the key is not valid' }]
  if (issue.code === 'invalid_union') {
    const expected = issue.errors.flat().flatMap((inner) => ('expected' in inner ? [String(inner.expected)] : []))
    if (valueAt(document, path) === undefined) return [{ path, message: `\`${String(path.at(-1) ?? 'job')}\` is missing` }]
    return [
      { path, message: `expected ${[...new Set(expected)].join(' or ') || 'another form'}, found ${kindOf(valueAt(document, path))}` },
    ]
  }
  if (issue.code === 'invalid_type') {
    const found = valueAt(document, path)
    const message =
      found === undefined ? `\`${String(path.at(-1) ?? 'job')}\` is missing` : `expected ${issue.expected}, found ${kindOf(found)}`
    return [{ path, message }]
  }
  if (issue.code === 'invalid_value') {
    const found = valueAt(document, path)
    const values = issue.values.map(String)
    if (issue.message !== '' && !issue.message.startsWith('Invalid')) return [{ path, message: issue.message }]
    const guess = nearest(String(found), values)
    return [
      { path, message: `${JSON.stringify(found)} is not one of ${values.join(', ')}${guess === null ? '' : `; did you mean ${guess}?`}` },
    ]
  }
  if ((issue.code === 'too_small' || issue.code === 'too_big') && /^Too (small|big)/.test(issue.message))
    return [{ path, message: rangeText(issue, valueAt(document, path)) }]
  return [{ path, message: issue.message }]
}

/** `-1 is too small: at least 0`, `too long: at most 63 characters`. */
function rangeText(issue: $ZodIssueTooSmall | $ZodIssueTooBig, found: unknown): string {
  const [word, bound, edge] = issue.code === 'too_small' ? ['small', issue.minimum, 'at least'] : ['big', issue.maximum, 'at most']
  const limit = `${issue.inclusive === false ? (issue.code === 'too_small' ? 'more than' : 'less than') : edge} ${bound}`
  if (issue.origin === 'string') return `${word === 'small' ? 'too short' : 'too long'}: ${limit} characters`
  if (issue.origin === 'array' || issue.origin === 'map' || issue.origin === 'set')
    return `${word === 'small' ? 'too few' : 'too many'}: ${limit}`
  return `${JSON.stringify(found)} is too ${word}: ${limit}`
}

function unknownKey(path: (string | number)[], key: string): SpecIssue {
  const known = keysAt(jobFileSchema, path).filter((candidate) => !isNotYet([...path, candidate]))
  const guess = nearest(key, known)
  const help = guess === null ? `known here: ${known.join(', ')}` : `did you mean \`${guess}\`?`
  return { path, key, message: `unknown key \`${key}\`; ${help}` }
}

/** The keys the schema knows at a path. */
function keysAt(schema: z.core.$ZodType, path: readonly (string | number)[]): string[] {
  const inner = unwrap(schema)
  const [head, ...rest] = path
  if (inner instanceof z.ZodObject) {
    const shape = inner.shape as Record<string, z.core.$ZodType>
    if (head === undefined) return Object.keys(shape)
    const next = shape[head]
    return next ? keysAt(next, rest) : []
  }
  if (inner instanceof z.ZodRecord) return head === undefined ? [] : keysAt(inner.valueType, rest)
  return []
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodPrefault) return unwrap(schema.unwrap())
  return schema
}

function valueAt(document: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (value !== null && typeof value === 'object' ? (value as Record<string | number, unknown>)[part] : undefined),
    document,
  )
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a map' : `${typeof value} ${JSON.stringify(value)}`
}
