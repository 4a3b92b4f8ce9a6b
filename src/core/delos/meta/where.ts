import { refuse, type MusterError } from '../../kernel/errors.ts'
import { canonicalJson } from '../../kernel/json.ts'

/** A comparison with something in a body, e.g. `spec.replicas >= 3`. */
export interface Where {
  path: readonly string[]
  operator: '=' | '!=' | '<' | '<=' | '>' | '>='
  value: unknown
}

/**
 * `PATH OPERATOR VALUE`: the path's parts are separated by dots, a number also being a place in a list; the value is JSON, or
 * else the text as it stands.
 */
export function parseWhere(text: string): Where | MusterError {
  const match = /^\s*([^\s=!<>]+)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*$/s.exec(text)
  const [, path, operator, value] = match ?? []
  if (path === undefined || operator === undefined || value === undefined || path.split('.').includes(''))
    return refuse('USAGE', `"${text}" is not a comparison such as spec.replicas>=3.`, {
      hint: 'Write PATH=VALUE; also !=, <, <=, > and >=.',
    })
  return { path: path.split('.'), operator: operator as Where['operator'], value: jsonOr(value) }
}

/** Numbers and texts have an order, each among themselves; a path that leads nowhere is only unlike (`!=`) everything. */
export function matches(body: unknown, { path, operator, value }: Where): boolean {
  const found = valueAt(body, path)
  const isSame = found !== undefined && canonicalJson(found) === canonicalJson(value)
  if (operator === '=') return isSame
  if (operator === '!=') return !isSame
  const order = compare(found, value)
  if (order === null) return false
  if (operator === '<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order >= 0
}

function compare(a: unknown, b: unknown): number | null {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return null
}

function valueAt(body: unknown, path: readonly string[]): unknown {
  let found = body
  for (const part of path) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, part)) return undefined
    found = (found as Record<string, unknown>)[part]
  }
  return found
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // Not JSON: the text itself is meant, so that `--where owner=anna` needs no quotes within quotes.
    return text
  }
}
