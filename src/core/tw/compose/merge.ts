import { asMap } from './names.ts'

type Service = Record<string, unknown>

/** Keys that a service which is extended may not have, since it names others that are not there. */
const NOT_EXTENDED = ['links', 'volumes_from', 'depends_on'] as const
const MAPPINGS = new Set(['environment', 'labels', 'sysctls', 'extra_hosts', 'networks', 'healthcheck', 'ulimits'])
const SETS = new Set(['cap_add', 'cap_drop', 'expose', 'external_links', 'ports', 'security_opt', 'volumes_from'])
const LISTS = new Set(['dns', 'dns_search', 'env_file', 'tmpfs'])
const BY_TARGET = new Set(['volumes', 'devices'])

/** Why a service cannot be extended; null: it can. */
export function extendProblem(base: Service): string | null {
  const key = NOT_EXTENDED.find((it) => it in base)
  if (key !== undefined) return `a service with \`${key}\` cannot be extended`
  const mode = String(base['network_mode'] ?? '')
  return /^(service|container):/.test(mode) ? `a service with \`network_mode: ${mode}\` cannot be extended` : null
}

/** A service over the one it extends, as docker-compose merges them. */
export function mergeServices(base: Service, over: Service): Service {
  const merged: Service = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = base[key]
    if (before === undefined || before === null) merged[key] = value
    else if (key === 'deploy' || key === 'build') merged[key] = deep(before, value)
    else if (MAPPINGS.has(key)) merged[key] = { ...pairsOf(before), ...pairsOf(value) }
    else if (SETS.has(key)) merged[key] = [...new Map([...listOf(before), ...listOf(value)].map((it) => [JSON.stringify(it), it])).values()]
    else if (LISTS.has(key)) merged[key] = [...listOf(before), ...listOf(value)]
    else if (BY_TARGET.has(key)) merged[key] = [...new Map([...listOf(before), ...listOf(value)].map((it) => [targetOf(it), it])).values()]
    else merged[key] = value
  }
  return merged
}

/** `{A: x}`, `[A=x, B]` → name → value; null: without one. */
export function pairsOf(value: unknown): Record<string, unknown> {
  if (!Array.isArray(value)) return asMap(value)
  return Object.fromEntries(
    value.map((item) => {
      const text = String(item)
      const cut = text.indexOf('=')
      return cut < 0 ? [text, null] : [text.slice(0, cut), text.slice(cut + 1)]
    }),
  )
}

export function listOf(value: unknown): unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]
}

function deep(before: unknown, value: unknown): unknown {
  if (typeof before !== 'object' || typeof value !== 'object' || Array.isArray(before) || Array.isArray(value)) return value
  const merged = { ...asMap(before) }
  for (const [key, inner] of Object.entries(asMap(value))) merged[key] = key in merged ? deep(merged[key], inner) : inner
  return merged
}

/** The path in the container: of two with one the later counts. */
function targetOf(item: unknown): string {
  if (typeof item !== 'string') return String(asMap(item)['target'])
  const parts = item.split(':')
  return parts[1] ?? item
}
