import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { textWidth, truncate } from './text.ts'

export interface Column<R> {
  title: string
  /** text of one cell; may hold colours */
  cell: (row: R, view: View) => string | number | null | undefined
  align?: 'left' | 'right'
  /** only with `-o wide` */
  isWide?: boolean
  /** may be cut when the terminal is too narrow; the widest of these is cut first */
  canShrink?: boolean
}

const GAP = '  '
const SHRINK_MIN = 8

/**
 * A table for people: upper-case titles, columns as wide as their cells. On a terminal the shrinkable columns are cut to
 * fit its width; elsewhere nothing is cut. Gives lines without a newline at the end; `empty` when there are no rows.
 */
export function table<R>(view: View, rows: readonly R[], columns: readonly Column<R>[], empty = 'Nothing to show.'): string {
  return rows.length === 0 ? empty : tableInParts(view, columns)(rows)
}

/** A table whose rows come in parts, none of them empty: the first has the head, and says how wide columns are. */
export function tableInParts<R>(view: View, columns: readonly Column<R>[]): (rows: readonly R[]) => string {
  const shown = columns.filter((column) => view.isWide || !column.isWide)
  let widths: number[] | null = null
  const widthsOf = (cells: readonly string[][]): number[] => {
    const own = shown.map((column, i) => cells.reduce((max, line) => Math.max(max, textWidth(line[i] ?? '')), column.title.length))
    if (view.width !== null)
      shrinkToFit(
        own,
        shown.map((column) => column.canShrink === true),
        view.width,
      )
    return own
  }
  return (rows) => {
    const cells = rows.map((row) => shown.map((column) => String(column.cell(row, view) ?? '-')))
    const isFirst = widths === null
    const fixed = (widths ??= widthsOf(cells))
    const format = (line: readonly string[]): string =>
      line
        .map((text, i) => {
          const width = fixed[i] ?? 0
          return pad(view.width === null ? text : truncate(text, width), width, shown[i]?.align ?? 'left', i === line.length - 1)
        })
        .join(GAP)
        .trimEnd()
    const head = isFirst ? [paint(view, 'bold', format(shown.map((column) => column.title.toUpperCase())))] : []
    return [...head, ...cells.map(format)].join('\n')
  }
}

/** Two columns without a head: `name  value`, for one thing's fields; a value may have several lines. Null and undefined ones are left out. */
export function fields(view: View, pairs: readonly (readonly [name: string, value: string | number | null | undefined])[]): string {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined)
  const width = shown.reduce((max, [name]) => Math.max(max, name.length), 0)
  const below = `\n${' '.repeat(width + GAP.length)}`
  return shown.map(([name, value]) => `${paint(view, 'dim', name.padEnd(width))}${GAP}${String(value).replaceAll('\n', below)}`).join('\n')
}

function shrinkToFit(widths: number[], canShrink: readonly boolean[], widthMax: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
  for (;;) {
    if (total() <= widthMax) return
    let widest = -1
    widths.forEach((width, i) => {
      if (canShrink[i] && width > SHRINK_MIN && (widest < 0 || width > (widths[widest] ?? 0))) widest = i
    })
    if (widest < 0) return
    widths[widest] = Math.max(SHRINK_MIN, (widths[widest] ?? 0) - (total() - widthMax))
  }
}

function pad(text: string, width: number, align: 'left' | 'right', isLast: boolean): string {
  const room = ' '.repeat(Math.max(0, width - textWidth(text)))
  if (align === 'right') return room + text
  return isLast ? text : text + room
}
