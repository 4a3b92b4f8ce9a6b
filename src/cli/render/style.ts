import type { View } from '../terminal.ts'

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], cyan: [36, 39] } as const

export type Color = keyof typeof CODES

/** The text in a colour, if the view has colour. Colour repeats what glyph and word already say. */
export function paint(view: View, color: Color, text: string): string {
  if (!view.hasColor || text === '') return text
  const [on, off] = CODES[color]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

export type Mark = 'ok' | 'warn' | 'bad' | 'busy' | 'off'

const MARKS: Record<Mark, { glyph: string; color: Color }> = {
  ok: { glyph: '●', color: 'green' },
  warn: { glyph: '▲', color: 'yellow' },
  bad: { glyph: '✖', color: 'red' },
  busy: { glyph: '◐', color: 'cyan' },
  off: { glyph: '○', color: 'dim' },
}

/** A glyph and a word, coloured: `● running`. */
export function mark(view: View, kind: Mark, word: string): string {
  return paint(view, MARKS[kind].color, `${MARKS[kind].glyph} ${word}`)
}
