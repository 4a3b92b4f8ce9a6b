import type { ChangeRow } from '../schema.ts'

const LINES_MAX = 24

/** The figures a verdict or rollback entry carries, one line each: `path = value`. Knows no schema, so it outlives changes of it. */
export function evidenceLines(change: ChangeRow): string[] {
  const lines: string[] = []
  const walk = (path: string, value: unknown): void => {
    if (lines.length >= LINES_MAX || value === null || value === undefined || value === '') return
    if (typeof value === 'object') {
      for (const [name, inner] of Object.entries(value)) walk(path === '' ? name : `${path}.${name}`, inner)
    } else {
      lines.push(`${path} = ${String(value)}`)
    }
  }
  walk('', JSON.parse(change.body) as unknown)
  return [`${change.text} (entry ${change.position}): ${lines.join(', ')}`]
}
