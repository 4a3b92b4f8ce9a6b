import type { SpecIssue } from './issues.ts'

/**
 * Keys that are meant to come but are not carried out yet, by their path with `*` for a name: saying so is better than
 * calling them unknown, and accepting them would be a lie. A key leaves this list with the code that carries it out.
 */
const NOT_YET: readonly string[] = [
  'namespace',
  'groups.*.volumes',
  'groups.*.autoscale',
  'groups.*.templates',
  'groups.*.secrets',
  'groups.*.sidecars',
  'groups.*.main.image',
  'groups.*.main.health.startup',
]

export function isNotYet(path: readonly (string | number)[]): boolean {
  return NOT_YET.some((pattern) => matches(pattern.split('.'), path))
}

/** Keys of a document that are known and not carried out yet. */
export function notYetIssues(document: unknown, path: readonly string[] = []): SpecIssue[] {
  if (document === null || typeof document !== 'object' || Array.isArray(document)) return []
  return Object.entries(document).flatMap(([key, value]): SpecIssue[] => {
    const at = [...path, key]
    if (isNotYet(at)) return [{ path: [...path], key, message: `\`${key}\` is not supported yet` }]
    return notYetIssues(value, at)
  })
}

function matches(pattern: readonly string[], path: readonly (string | number)[]): boolean {
  return pattern.length === path.length && pattern.every((part, i) => part === '*' || part === path[i])
}
