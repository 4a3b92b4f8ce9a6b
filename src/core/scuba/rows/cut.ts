import { LIMITS } from '../limits.ts'

const encoder = new TextEncoder()
const room = new Uint8Array(LIMITS.valueBytesMax)

/** No character has more than three bytes for each of its units. */
const fits = (text: string): boolean =>
  text.length * 3 <= LIMITS.valueBytesMax || (text.length <= LIMITS.valueBytesMax && encoder.encodeInto(text, room).read === text.length)

/** A text of at most 64 KiB in UTF-8: of a longer one its beginning, with `…` behind it. */
export function cutValue(text: string): { text: string; isCut: boolean } {
  const whole = text.isWellFormed() ? text : text.toWellFormed()
  if (fits(whole)) return { text: whole, isCut: false }
  return { text: `${whole.slice(0, encoder.encodeInto(whole, room).read)}…`, isCut: true }
}
