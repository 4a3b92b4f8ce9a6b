const BLOCKS = '▁▂▃▄▅▆▇█'

/** Values as a row of blocks from 0 to the largest; a blank where there is no value. At most `width` wide: neighbours are averaged. */
export function sparkline(values: readonly (number | null)[], width: number): string {
  const shown = resample(values, width)
  const max = shown.reduce<number>((best, value) => Math.max(best, value ?? 0), 0)
  return shown
    .map((value) => {
      if (value === null) return ' '
      const level = max <= 0 ? 0 : Math.round((Math.max(0, value) / max) * (BLOCKS.length - 1))
      return BLOCKS[level] ?? ' '
    })
    .join('')
}

/** Dots of a braille cell by [row][column]; Unicode, block Braille Patterns. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const

/**
 * A line chart of braille dots, `width` × `height` characters, from 0 to the largest value (given back for the axis).
 * Neighbouring values are joined by vertical strokes, so that a jump is seen.
 */
export function brailleChart(values: readonly (number | null)[], width: number, height: number): { lines: string[]; max: number } {
  const columns = width * 2
  const rows = height * 4
  const shown = stretch(values, columns)
  const max = shown.reduce<number>((best, value) => Math.max(best, value ?? 0), 0)
  const cells = Array.from({ length: height }, () => new Array<number>(width).fill(0))
  const rowOf = (value: number): number => rows - 1 - (max <= 0 ? 0 : Math.round((Math.max(0, value) / max) * (rows - 1)))
  const dot = (x: number, y: number): void => {
    const line = cells[Math.floor(y / 4)]
    if (line) line[Math.floor(x / 2)] = (line[Math.floor(x / 2)] ?? 0) | (DOTS[y % 4]?.[x % 2] ?? 0)
  }
  let before: number | null = null
  shown.forEach((value, x) => {
    if (value === null) return void (before = null)
    const y = rowOf(value)
    const from = before ?? y
    for (let at = Math.min(from, y); at <= Math.max(from, y); at += 1) dot(x, at)
    before = y
  })
  return { lines: cells.map((line) => line.map((bits) => String.fromCodePoint(0x2800 + bits)).join('')), max }
}

/** Averages runs of neighbours so that at most `width` are left. */
function resample(values: readonly (number | null)[], width: number): (number | null)[] {
  if (values.length <= width) return [...values]
  return Array.from({ length: width }, (_, i) =>
    mean(values.slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width))),
  )
}

/** Exactly `width` values: averaged when there are more, repeated when there are fewer. */
function stretch(values: readonly (number | null)[], width: number): (number | null)[] {
  if (values.length >= width) return resample(values, width)
  return Array.from({ length: values.length === 0 ? 0 : width }, (_, i) => values[Math.floor((i * values.length) / width)] ?? null)
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}
