import type { Figure } from './figure.ts'

const COLUMNS = ['BENCH', 'METRIC', 'VALUE', 'UNIT', 'TARGET', ''] as const

function cells(figure: Figure): string[] {
  const verdict = figure.target === null ? '' : figure.ok ? '✓ met' : '✗ missed'
  return [figure.bench, figure.metric, String(figure.value), figure.unit, figure.target ?? '', verdict]
}

/** A table for people: columns as wide as their longest cell, numbers to the right. */
export function renderFigures(figures: readonly Figure[]): string {
  const rows = [[...COLUMNS], ...figures.map(cells)]
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const line = (row: string[]): string =>
    row.map((cell, i) => (i === 2 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}
