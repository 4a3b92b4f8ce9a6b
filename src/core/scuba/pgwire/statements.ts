import type { PgRefusal } from './problem.ts'
import { isSymbol, isWord, literalOf, nameOf, statementsOf, wordsOf, type Token } from './tokens.ts'

/** What a client asks for by one statement: rows of the engine, or something of the connection, which is answered without it. */
export type PgStatement =
  | { kind: 'select'; sql: string }
  | { kind: 'copy'; sql: string; format: CopyFormat }
  /** `value` null: back to its default */
  | { kind: 'set'; name: string; value: string | null; isLocal: boolean }
  | { kind: 'reset-all' }
  | { kind: 'show'; name: string }
  | { kind: 'show-all' }
  /** tag of its completion */
  | { kind: 'begin' | 'commit' | 'rollback' | 'nothing'; tag: string }
  | { kind: 'discard'; tag: string }
  | { kind: 'deallocate'; name: string | null; tag: string }
  | { kind: 'declare'; name: string; sql: string; isHeld: boolean }
  /** `rowsMax` null: all */
  | { kind: 'fetch' | 'move'; name: string; rowsMax: number | null }
  | { kind: 'close'; name: string | null }
  | ({ kind: 'refused' } & PgRefusal)

export interface CopyFormat {
  isCsv: boolean
  delimiter: string
  nullText: string
  hasHeader: boolean
}

/** A statement with the place in the text where it begins. */
export interface PlacedStatement {
  statement: PgStatement
  /** characters into the text */
  at: number
}

export function readStatements(text: string): PlacedStatement[] {
  return statementsOf(text).map((tokens) => {
    const [first] = wordsOf(tokens)
    const at = first?.at ?? 0
    return { statement: readStatement(text, tokens), at }
  })
}

const WRITES =
  /^(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|CREATE|ALTER|DROP|GRANT|REVOKE|COMMENT|REINDEX|CLUSTER|REFRESH|VACUUM|ANALYZE|LOCK|CALL|DO|IMPORT|SECURITY|ATTACH|DETACH|INSTALL|LOAD|EXPORT|CHECKPOINT|PRAGMA|USE)$/

function readStatement(text: string, tokens: readonly Token[]): PgStatement {
  const words = wordsOf(tokens)
  const [first, second] = words
  const last = words.at(-1)
  const sqlFrom = (token: Token | undefined): string =>
    token === undefined || last === undefined ? '' : text.slice(token.at, last.at + last.text.length)
  const keyword = first?.kind === 'word' ? first.text.toUpperCase() : (first?.text ?? '')
  switch (keyword) {
    case 'SELECT':
    case 'WITH':
    case 'VALUES':
    case 'FROM':
    case '(':
      return { kind: 'select', sql: sqlFrom(first) }
    case 'TABLE':
      return { kind: 'select', sql: `SELECT * FROM ${sqlFrom(second)}` }
    case 'SET':
      return readSet(words.slice(1))
    case 'RESET':
      return isWord(second, 'ALL') ? { kind: 'reset-all' } : { kind: 'set', name: settingName(words.slice(1)), value: null, isLocal: false }
    case 'SHOW':
      return isWord(second, 'ALL') ? { kind: 'show-all' } : { kind: 'show', name: settingName(words.slice(1)) }
    case 'BEGIN':
    case 'START':
      return { kind: 'begin', tag: keyword === 'BEGIN' ? 'BEGIN' : 'START TRANSACTION' }
    case 'COMMIT':
    case 'END':
      return { kind: 'commit', tag: 'COMMIT' }
    case 'ROLLBACK':
    case 'ABORT':
      return words.some((word) => isWord(word, 'TO')) ? { kind: 'nothing', tag: 'ROLLBACK' } : { kind: 'rollback', tag: 'ROLLBACK' }
    case 'SAVEPOINT':
    case 'RELEASE':
    case 'UNLISTEN':
      return { kind: 'nothing', tag: keyword }
    case 'DISCARD':
      return { kind: 'discard', tag: `DISCARD ${(second?.text ?? 'ALL').toUpperCase()}` }
    case 'DEALLOCATE':
      return readDeallocate(words)
    case 'DECLARE':
      return readDeclare(words, sqlFrom)
    case 'FETCH':
    case 'MOVE':
      return readFetch(keyword === 'FETCH' ? 'fetch' : 'move', words)
    case 'CLOSE':
      return { kind: 'close', name: isWord(second, 'ALL') ? null : (nameOf(second) ?? '') }
    case 'COPY':
      return readCopy(text, words)
    case 'EXPLAIN':
    case 'DESCRIBE':
    case 'SUMMARIZE':
      return refused('0A000', `${keyword} is not answered here`, 'Use `muster scuba explain` for plans, \\d TABLE for columns.', first)
    case 'PREPARE':
    case 'EXECUTE':
    case 'LISTEN':
    case 'NOTIFY':
      return refused('0A000', `${keyword} is not answered here`, 'Statements are prepared by the protocol: your driver does it.', first)
    default:
      if (WRITES.test(keyword)) return refused('42501', `${keyword} is not permitted: everything here is read only`, undefined, first)
      return refused('42601', `syntax error at or near "${first?.text ?? ''}"`, undefined, first)
  }
}

const refused = (sqlState: string, message: string, hint: string | undefined, at: Token | undefined): PgStatement => ({
  kind: 'refused',
  sqlState,
  message,
  hint,
  offset: at?.at,
})

/** `a`, `a.b`, and what PostgreSQL spells in several words. */
function settingName(words: readonly Token[]): string {
  const name = words.map((word) => nameOf(word) ?? word.text).join(' ')
  if (/^time zone$/.test(name)) return 'TimeZone'
  if (/^transaction isolation level$/.test(name)) return 'transaction_isolation'
  return name.replaceAll(' . ', '.')
}

function readSet(words: Token[]): PgStatement {
  const isLocal = isWord(words[0], 'LOCAL')
  const rest = isWord(words[0], 'SESSION', 'LOCAL') && !isSymbol(words[1], '=') ? words.slice(1) : words
  // Drivers ask for READ WRITE by default; what would write is refused when it comes.
  if (isWord(rest[0], 'TRANSACTION', 'CHARACTERISTICS', 'CONSTRAINTS')) return { kind: 'nothing', tag: 'SET' }
  if (isWord(rest[0], 'ROLE', 'AUTHORIZATION'))
    return refused('0A000', 'roles cannot be changed here', 'Log in with another token.', rest[0])
  if (isWord(rest[0], 'TIME') && isWord(rest[1], 'ZONE')) return { kind: 'set', name: 'TimeZone', value: valueOf(rest.slice(2)), isLocal }
  if (isWord(rest[0], 'NAMES')) return { kind: 'set', name: 'client_encoding', value: valueOf(rest.slice(1)), isLocal }
  const sign = rest.findIndex((word) => isSymbol(word, '=') || isWord(word, 'TO'))
  if (sign < 1 || sign + 1 >= rest.length) return refused('42601', 'SET wants NAME = VALUE', undefined, words.at(-1))
  return { kind: 'set', name: settingName(rest.slice(0, sign)), value: valueOf(rest.slice(sign + 1)), isLocal }
}

/** null: DEFAULT */
function valueOf(words: readonly Token[]): string | null {
  if (words.length === 1 && isWord(words[0], 'DEFAULT')) return null
  return words
    .map((word) => (word.kind === 'string' ? literalOf(word) : (nameOf(word) ?? word.text)))
    .join(' ')
    .replaceAll(' ,', ',')
    .replaceAll('- ', '-')
}

function readDeallocate(words: readonly Token[]): PgStatement {
  const name = isWord(words[1], 'PREPARE') ? words[2] : words[1]
  const isAll = isWord(name, 'ALL')
  return { kind: 'deallocate', name: isAll ? null : (nameOf(name) ?? ''), tag: isAll ? 'DEALLOCATE ALL' : 'DEALLOCATE' }
}

/** `DECLARE name [BINARY] [NO SCROLL] CURSOR [WITH[OUT] HOLD] FOR select` */
function readDeclare(words: readonly Token[], sqlFrom: (token: Token | undefined) => string): PgStatement {
  const begin = words.findIndex((word) => isWord(word, 'FOR'))
  const options = words.slice(2, begin)
  if (begin < 0 || !options.some((word) => isWord(word, 'CURSOR')))
    return refused('42601', 'DECLARE wants NAME CURSOR FOR SELECT …', undefined, words[0])
  const isScroll = options.some((word, index) => isWord(word, 'SCROLL') && !isWord(options[index - 1], 'NO'))
  if (isScroll || options.some((word) => isWord(word, 'BINARY')))
    return refused('0A000', 'cursors go forward and give text here', 'Leave SCROLL and BINARY out.', words[2])
  return {
    kind: 'declare',
    name: nameOf(words[1]) ?? '',
    sql: sqlFrom(words[begin + 1]),
    isHeld: options.some((word, index) => isWord(word, 'HOLD') && isWord(options[index - 1], 'WITH')),
  }
}

/** `FETCH [NEXT | FORWARD] [count | ALL] [FROM | IN] name` */
function readFetch(kind: 'fetch' | 'move', words: readonly Token[]): PgStatement {
  const name = nameOf(words.at(-1)) ?? ''
  const how = words.slice(1, -1).filter((word) => !isWord(word, 'FROM', 'IN', 'FORWARD', 'NEXT'))
  const hasForward = words.slice(1, -1).some((word) => isWord(word, 'FORWARD'))
  if (how.length === 0) return { kind, name, rowsMax: 1 }
  const [only, ...more] = how
  if (more.length === 0 && isWord(only, 'ALL')) return { kind, name, rowsMax: null }
  if (more.length === 0 && only?.kind === 'number' && (hasForward || Number(only.text) >= 0))
    return { kind, name, rowsMax: Number(only.text) }
  return refused('0A000', 'cursors only go forward here', 'FETCH [FORWARD] N FROM NAME.', only)
}

/** `COPY (select) | table [(columns)] TO STDOUT [[WITH] (options)]`, and the older `… CSV HEADER` */
function readCopy(text: string, words: readonly Token[]): PgStatement {
  const end = topLevel(words, 'TO', 'FROM')
  const direction = words[end]
  if (end < 2 || direction === undefined) return refused('42601', 'COPY wants (SELECT …) TO STDOUT', undefined, words[0])
  if (isWord(direction, 'FROM'))
    return refused(
      '42501',
      'COPY FROM is not permitted: everything here is read only',
      'Send rows with `muster scuba send TABLE`.',
      direction,
    )
  if (!isWord(words[end + 1], 'STDOUT'))
    return refused('42501', 'COPY gives rows to STDOUT only', 'In psql, \\copy writes them into a file of yours.', words[end + 1])
  const source = words.slice(1, end)
  const [open] = source
  const inner = source.at(-1)
  if (open === undefined || inner === undefined) return refused('42601', 'COPY wants (SELECT …) TO STDOUT', undefined, words[0])
  const isQuery = isSymbol(open, '(')
  const list = source.findIndex((word) => isSymbol(word, '('))
  const sql = isQuery
    ? text.slice(open.at + 1, inner.at)
    : list < 0
      ? `SELECT * FROM ${text.slice(open.at, direction.at)}`
      : `SELECT ${text.slice((source[list]?.at ?? 0) + 1, inner.at)} FROM ${text.slice(open.at, source[list]?.at)}`
  const format = copyFormat(words.slice(end + 2))
  return 'sqlState' in format ? { kind: 'refused', ...format } : { kind: 'copy', sql, format }
}

/** Index of a word outside of all brackets; −1: there is none. */
function topLevel(words: readonly Token[], ...wanted: string[]): number {
  let depth = 0
  return words.findIndex((word) => {
    if (isSymbol(word, '(')) depth += 1
    if (isSymbol(word, ')')) depth -= 1
    return depth === 0 && isWord(word, ...wanted)
  })
}

function copyFormat(words: readonly Token[]): CopyFormat | PgRefusal {
  const options = words.filter((word) => !isWord(word, 'WITH', 'AS') && !isSymbol(word, '(', ')', ','))
  const read: { isCsv: boolean; hasHeader: boolean; delimiter?: string; nullText?: string } = { isCsv: false, hasHeader: false }
  for (let index = 0; index < options.length; index += 1) {
    const option = options[index]
    const value = options[index + 1]
    const text = value === undefined ? '' : value.kind === 'string' ? literalOf(value) : (nameOf(value) ?? value.text)
    if (isWord(option, 'CSV')) read.isCsv = true
    else if (isWord(option, 'HEADER')) {
      read.hasHeader = !/^(false|off|0)$/.test(text)
      if (/^(true|on|1|false|off|0)$/.test(text)) index += 1
    } else if (isWord(option, 'FORMAT') && (text === 'csv' || text === 'text')) {
      read.isCsv = text === 'csv'
      index += 1
    } else if (isWord(option, 'DELIMITER') && text.length === 1) {
      read.delimiter = text
      index += 1
    } else if (isWord(option, 'NULL') && value?.kind === 'string') {
      read.nullText = text
      index += 1
    } else if (isWord(option, 'ENCODING') && /^utf-?8$/i.test(text)) index += 1
    else
      return {
        sqlState: '0A000',
        message: `COPY option "${option?.text ?? ''}" is not answered here`,
        hint: 'FORMAT text or csv, HEADER, DELIMITER, NULL.',
        offset: option?.at,
      }
  }
  return {
    isCsv: read.isCsv,
    hasHeader: read.hasHeader,
    delimiter: read.delimiter ?? (read.isCsv ? ',' : '\t'),
    nullText: read.nullText ?? (read.isCsv ? '' : '\\N'),
  }
}
