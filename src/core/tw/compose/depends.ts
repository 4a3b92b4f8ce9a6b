import { asMap, groupName } from './names.ts'
import type { Take } from './notes.ts'

/** Condition → what is waited for at the start. */
const UNTIL: Record<string, 'started' | 'healthy' | 'completed'> = {
  service_started: 'started',
  service_healthy: 'healthy',
  service_completed_successfully: 'completed',
}

/**
 * `depends_on` → `after` (who is waited for before the first tasks are placed) and `uses` (who is reached through the mesh).
 * @param others services that become groups; there is nobody else to wait for
 */
export function takeDependencies(
  value: unknown,
  others: ReadonlySet<string>,
  take: Take,
): { after?: Record<string, string>; uses: string[] } {
  const wanted = Array.isArray(value)
    ? value.map((name) => ({ name: String(name), rule: {} as Record<string, unknown> }))
    : Object.entries(asMap(value)).map(([name, rule]) => ({ name, rule: asMap(rule) }))
  const after: Record<string, string> = {}
  for (const { name, rule } of wanted) {
    const key = `depends_on.${name}`
    const condition = String(rule['condition'] ?? 'service_started')
    const until = UNTIL[condition]
    if (!others.has(name)) take(key, 'unsupported', `${name} is not imported, so nobody waits for it; it is looked for in the mesh`)
    else if (until === undefined) take(key, 'unsupported', `${condition} is not a condition of compose`)
    else {
      after[groupName(name)] = until
      take(key, 'mapped', `after: ${until}; and uses`)
    }
    if (rule['restart'] === true) take(`${key}.restart`, 'unsupported', 'a group is not started anew when another one is')
  }
  return { ...(Object.keys(after).length > 0 ? { after } : {}), uses: wanted.map(({ name }) => groupName(name)) }
}
