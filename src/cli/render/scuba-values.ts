import { printable } from './text.ts'

/** A value of an answer as one cell: times as ISO 8601, structures as JSON, NULL as `∅`. */
export function cellText(value: unknown, type: string): string {
  if (value === null || value === undefined) return '∅'
  if (typeof value === 'number' && type.startsWith('TIMESTAMP')) return new Date(value).toISOString()
  if (typeof value === 'number' && type === 'DATE') return new Date(value).toISOString().slice(0, 10)
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'string') return printable(value)
  return typeof value === 'boolean' ? String(value) : JSON.stringify(value)
}

/** At most four significant digits behind the point, none for integers. */
export function numberText(value: number): string {
  if (Number.isInteger(value)) return String(value)
  const size = Math.abs(value)
  if (size >= 1000) return value.toFixed(0)
  return String(Number(value.toPrecision(4)))
}

/** 12,345,678 rows are easier read than 12345678. */
export function groupedText(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}
