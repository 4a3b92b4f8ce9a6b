import type { SpecIssue } from './issues.ts'

/**
 * Keys that are meant to come but are not carried out yet, by their path with `*` for a name: saying so is better than
 * calling them unknown, and accepting them would be a lie. A key leaves this list with the code that carries it out.
 */
const NOT_YET: readonly string[] = [
  'namespace',
  'entitlement',
  'periodic',
  'parameters',
  'groups.*.disconnect',
  'groups.*.after',
  'groups.*.max_run_time',
  'groups.*.all_or_nothing',
  'groups.*.volumes',
  'groups.*.autoscale',
  'groups.*.templates',
  'groups.*.secrets',
  'groups.*.sidecars',
  'groups.*.update.progress_deadline',
  'groups.*.update.auto_revert',
  'groups.*.update.canary',
  'groups.*.reschedule.unlimited',
  'groups.*.reschedule.attempts',
  'groups.*.reschedule.interval',
  'groups.*.main.image',
  'groups.*.main.health.startup',
  'groups.*.main.resources.disk',
  'groups.*.main.resources.gpu',
]

/** Values of a key that is known which are not carried out yet. */
const VALUES_NOT_YET: Readonly<Record<string, (value: unknown) => string | null>> = {
  kind: (value) => (value === 'system' || value === 'sysbatch' ? `kind ${value} is not supported yet; use service or batch` : null),
}

export function isNotYet(path: readonly (string | number)[]): boolean {
  return NOT_YET.some((pattern) => matches(pattern.split('.'), path))
}

/** Keys of a document that are known and not carried out yet. */
export function notYetIssues(document: unknown, path: readonly string[] = []): SpecIssue[] {
  if (document === null || typeof document !== 'object' || Array.isArray(document)) return []
  return Object.entries(document).flatMap(([key, value]): SpecIssue[] => {
    const at = [...path, key]
    if (isNotYet(at)) return [{ path: [...path], key, message: `\`${key}\` is not supported yet` }]
    const [, check] = Object.entries(VALUES_NOT_YET).find(([pattern]) => matches(pattern.split('.'), at)) ?? []
    const message = check?.(value) ?? null
    return message === null ? notYetIssues(value, at) : [{ path: at, message }]
  })
}

function matches(pattern: readonly string[], path: readonly (string | number)[]): boolean {
  return pattern.length === path.length && pattern.every((part, i) => part === '*' || part === path[i])
}
