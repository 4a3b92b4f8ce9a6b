import { canonicalJson } from '../kernel/json.ts'

export interface DiffLine {
  /** `groups.api.main.env.PORT` */
  path: string
  /** JSON text; null: absent */
  before: string | null
  after: string | null
}

/** Field by field, what another document says; lists are compared whole. */
export function documentDiff(before: unknown, after: unknown, path = ''): DiffLine[] {
  if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) return []
  if (isMap(before) && isMap(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
    return keys.flatMap((key) => documentDiff(before[key], after[key], path === '' ? key : `${path}.${key}`))
  }
  return [{ path, before: before === undefined ? null : canonicalJson(before), after: after === undefined ? null : canonicalJson(after) }]
}

function isMap(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
