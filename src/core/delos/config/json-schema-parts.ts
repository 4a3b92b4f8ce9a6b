export type JsonSchema = boolean | { readonly [keyword: string]: unknown }

/** Nesting of a schema and of a value, references followed included: both are walked by recursion. */
export const DEPTH_MAX = 200

/** `#/$defs/port` → that part of the root, or undefined (RFC 6901). */
export function partOf(root: unknown, ref: string): unknown {
  let found = root
  for (const part of ref.slice(1).split('/').slice(1)) {
    const name = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(found)) found = found[Number(name)] as unknown
    else if (isObject(found) && Object.hasOwn(found, name)) found = found[name]
    else return undefined
  }
  return found
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // A stray percent sign stands for itself.
    return part
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
