import { lineDiff, type Hunk } from '../../core/delos/config/line-diff.ts'
import type { Kv } from '../../core/delos/schema.ts'

/** A version of a key, as `delos.kv.history` and a watch tell it. */
export interface Version {
  type: 'put' | 'delete'
  revision: number
  kv: Kv
}

export const VERSIONS_SHOWN = 100
/** Of a value, on the screen. */
const VALUE_CHARS_MAX = 100_000

/** Newest first, each once. */
export function withVersions(known: readonly Version[], come: readonly Version[]): Version[] {
  const byRevision = new Map([...known, ...come].map((version) => [version.revision, version]))
  return [...byRevision.values()].toSorted((a, b) => b.revision - a.revision).slice(0, VERSIONS_SHOWN)
}

/** A value for people: JSON in lines, other text as it is, bytes as base64; long ones are cut, and it is said. */
export function valueText({ value, isValueBase64 }: Pick<Kv, 'value' | 'isValueBase64'>): { text: string; form: string } {
  const { text, form } = isValueBase64 === true ? { text: value, form: 'bytes, in base64' } : readable(value)
  if (text.length <= VALUE_CHARS_MAX) return { text, form }
  return { text: text.slice(0, VALUE_CHARS_MAX), form: `${form}, the first ${VALUE_CHARS_MAX} characters` }
}

function readable(value: string): { text: string; form: string } {
  if (!/^\s*[[{]/.test(value)) return { text: value, form: 'text' }
  try {
    return { text: JSON.stringify(JSON.parse(value), null, 2), form: 'JSON' }
  } catch {
    return { text: value, form: 'text' }
  }
}

/** What a version changed against the one before it; null where that is not kept. */
export function changeOf(versions: readonly Version[], revision: number): Hunk[] | null {
  const at = versions.findIndex((version) => version.revision === revision)
  const version = versions[at]
  if (version === undefined) return null
  const before = versions[at + 1]
  const isFirst = version.type === 'put' && version.kv.version === 1
  if (before === undefined && !isFirst) return null
  const textOf = (of: Version | undefined): string => (of === undefined || of.type === 'delete' ? '' : valueText(of.kv).text)
  return lineDiff(isFirst ? '' : textOf(before), textOf(version))
}
