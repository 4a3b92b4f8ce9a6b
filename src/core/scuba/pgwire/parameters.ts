import { quoteText } from '../names.ts'
import { parseArray } from './array.ts'
import { textOfBinary } from './binary.ts'
import type { PgRefusal } from './problem.ts'
import { isSymbol, isWord, tokensOf, wordsOf } from './tokens.ts'
import { elementOfArray, pgTypeByOid } from './types.ts'

/** Values that a client binds, put into the statement as literals: so the check sees what the engine is asked. */

/** @returns the value's text, null for NULL, or why it is none */
export function parameterText(oid: number, format: number, value: Uint8Array | null, number: number): string | null | PgRefusal {
  if (value === null) return null
  const invalid = (sqlState: string, message: string): PgRefusal => ({ sqlState, message: `parameter $${number}: ${message}` })
  try {
    const text = format === 1 ? textOfBinary(oid, value) : new TextDecoder('utf-8', { fatal: true }).decode(value)
    if (text === null) return invalid('0A000', `the binary form of type ${pgTypeByOid(oid)?.name ?? oid} is not taken; send it as text`)
    return text.includes('\0') ? invalid('22021', 'text with a NUL') : text
  } catch {
    // What DataView and TextDecoder throw: too short, or no UTF-8.
    return invalid(format === 1 ? '22P03' : '22021', format === 1 ? 'incorrect binary data' : 'no UTF-8')
  }
}

/** A literal of the value, of the type with this oid; with 0, one that takes the type it is compared with. */
export function parameterLiteral(oid: number, text: string | null): string {
  const element = elementOfArray(oid)
  if (element !== undefined) {
    const list = text === null ? null : parseArray(text)
    const items = list?.map((item) => (item === null ? 'NULL' : quoteText(item))).join(', ')
    return `CAST(${items === undefined ? 'NULL' : `[${items}]`} AS ${element.engine ?? 'VARCHAR'}[])`
  }
  const engine = pgTypeByOid(oid)?.engine ?? null
  const literal = text === null ? 'NULL' : quoteText(engine === 'BLOB' ? blobText(text) : text)
  return engine === null ? literal : `CAST(${literal} AS ${engine})`
}

/** `\xDEADBEEF` → the engine's `\xDE\xAD\xBE\xEF` */
const blobText = (text: string): string => text.replace(/^\\x/, '').replaceAll(/[0-9a-fA-F]{2}/g, '\\x$&')

/** How many parameters a statement has: the largest of its `$n`. */
export function parameterCount(text: string): number {
  return tokensOf(text).reduce((most, { kind, text: name }) => (kind === 'parameter' ? Math.max(most, Number(name.slice(1))) : most), 0)
}

/** Numbers of the parameters that stand alone in `ANY (…)` or `ALL (…)`: lists, which the engine cannot find out. */
export function listParameters(text: string): number[] {
  const words = wordsOf(tokensOf(text))
  return words.flatMap((word, at) => {
    const isAlone = isSymbol(words[at - 1], '(') && isWord(words[at - 2], 'ANY', 'SOME', 'ALL') && isSymbol(words[at + 1], ')')
    return word.kind === 'parameter' && isAlone ? [Number(word.text.slice(1))] : []
  })
}
