// oxlint-disable-next-line no-control-regex -- escape sequences start with a control character
const ANSI = /\u001b\[[0-9;]*m/g
const PLAIN_ASCII = /^[\u0020-\u007e]*$/
const segmenter = new Intl.Segmenter()
// Wide in terminals: East Asian wide and full-width blocks, and emoji shown as pictures (Unicode TR 11, TR 51).
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

/** Symbols for C0 begin here (Unicode, Control Pictures). */
const PICTURES = 0x2400

/** What other programs wrote, in one line, and without what would steer a terminal: escapes and bells are shown as symbols, overrides of direction are not. */
export function printable(text: string): string {
  return text
    .replaceAll(/[\r\n\t]+/g, ' ')
    .replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, '')
    .replaceAll(/\p{Cc}/gu, (control) => String.fromCodePoint(control < ' ' ? PICTURES + control.charCodeAt(0) : 0x2421))
}

/** The text without colours. */
export function plain(text: string): string {
  return text.replaceAll(ANSI, '')
}

/** Columns the text takes on a terminal; colours take none. */
export function textWidth(text: string): number {
  const bare = plain(text)
  if (PLAIN_ASCII.test(bare)) return bare.length
  let width = 0
  for (const { segment } of segmenter.segment(bare)) width += WIDE.test(segment) ? 2 : 1
  return width
}

/** The text cut to `width` columns, ending in `…` if something was cut; colours are dropped from a text that is cut. */
export function truncate(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  let out = ''
  let used = 0
  for (const { segment } of segmenter.segment(plain(text))) {
    const next = WIDE.test(segment) ? 2 : 1
    if (used + next > width - 1) break
    out += segment
    used += next
  }
  return `${out}…`
}

/** The text in lines of at most `width` columns, broken between words; a longer word stands alone. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && textWidth(last) + 1 + textWidth(word) <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** `1 task`, `3 tasks`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`
}

/** How long ago in whole seconds, in the style of `formatDuration`: `0s`, `12s`, `4m10s`. */
export function sinceText(atMs: number | null, nowMs: number, format: (ms: number) => string): string {
  if (atMs === null) return '-'
  const seconds = Math.max(0, Math.floor((nowMs - atMs) / 1000))
  return seconds === 0 ? '0s' : format(seconds * 1000)
}
