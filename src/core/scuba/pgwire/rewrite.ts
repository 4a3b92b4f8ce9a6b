import { quoteName, quoteText } from '../names.ts'
import { parseArray } from './array.ts'
import { CATALOGUE_FUNCTIONS, CATALOGUE_ROW_FUNCTIONS } from './catalogue/functions.ts'
import { CATALOGUE_RELATIONS } from './catalogue/relations.ts'
import { RENAMED, timeFormat } from './engine-names.ts'
import type { PgRefusal } from './problem.ts'
import { isSymbol, isWord, literalOf, nameOf, tokensOf, type Token } from './tokens.ts'

/**
 * PostgreSQL's SELECT as the engine takes it, token by token: names of the catalogue get the schema `mcat`, forms that the
 * engine has not are replaced by those it has. What it makes is checked as any statement is (`sql/check.ts`): a rewrite can
 * let nothing through.
 */

/** Names that the check lets through in schema `mcat`. */
export const CATALOGUE_NAMES = {
  relations: new Set([...CATALOGUE_RELATIONS.map(({ name }) => name), ...CATALOGUE_ROW_FUNCTIONS]),
  functions: new Set(Object.keys(CATALOGUE_FUNCTIONS)),
}

export interface RewriteSession {
  user: string
  pid: number
  setting: (name: string) => string | undefined
}

export interface Rewritten {
  sql: string
  /** characters into the rewritten statement → into the original */
  originOf: (offset: number) => number
}

/** Names of types after `::`, as the engine has them. */
const TYPES: Record<string, string> = {
  name: 'VARCHAR',
  char: 'VARCHAR',
  oid: 'UINTEGER',
  xid: 'UINTEGER',
  cstring: 'VARCHAR',
  anyarray: 'VARCHAR',
  aclitem: 'VARCHAR',
  unknown: 'VARCHAR',
  regproc: 'VARCHAR',
  regprocedure: 'VARCHAR',
  sql_identifier: 'VARCHAR',
  character_data: 'VARCHAR',
  yes_or_no: 'VARCHAR',
  cardinal_number: 'INTEGER',
  int2vector: 'SMALLINT[]',
  oidvector: 'UINTEGER[]',
  timestamptz: 'TIMESTAMP',
  jsonb: 'JSON',
  // Without digits it holds any number; the engine's has three behind the point then, and rounds what has more.
  numeric: 'DOUBLE',
  decimal: 'DOUBLE',
}

/** Casts that look something up: of a literal the oid, of an oid the name. */
const LOOKUPS = new Set(['regclass', 'regtype', 'regnamespace', 'regrole', 'regproc', 'regprocedure'])

const SESSION_WORDS = new Set(['current_user', 'session_user', 'current_role', 'current_catalog', 'current_schema'])

/** Functions of the engine whose rows have one column, which PostgreSQL names as the alias says. */
const ROW_FUNCTIONS = new Set(['unnest', 'generate_series', 'regexp_split_to_table', 'current_schemas'])

const SCHEMAS = new Set(['pg_catalog', 'information_schema', 'public'])

/**
 * @param literals what stands for `$1`, `$2`, …; without them they stay
 * @returns what to ask of the engine, or why that cannot be asked
 */
export function rewriteSql(text: string, session: RewriteSession, literals: readonly string[] = []): Rewritten | PgRefusal {
  const rewriter = new Rewriter(tokensOf(text), session, literals)
  rewriter.run()
  return rewriter.refusal ?? rewriter.result()
}

class Rewriter {
  refusal: PgRefusal | null = null
  /** all tokens, and what stands for each in the end */
  readonly #tokens: readonly Token[]
  readonly #out: string[]
  /** indexes of those that are no space */
  readonly #words: number[]
  readonly #session: RewriteSession
  /** words that are dealt with already */
  readonly #done = new Set<number>()

  constructor(tokens: readonly Token[], session: RewriteSession, literals: readonly string[]) {
    this.#tokens = tokens
    this.#out = tokens.map(({ kind, text }) => (kind === 'parameter' ? (literals[Number(text.slice(1)) - 1] ?? text) : text))
    this.#words = tokens.flatMap(({ kind }, index) => (kind === 'space' ? [] : [index]))
    this.#session = session
  }

  run(): void {
    for (let at = 0; at < this.#words.length && this.refusal === null; at += 1) if (!this.#done.has(at)) this.#look(at)
  }

  result(): Rewritten {
    // Where each token begins in the result; those that are gone begin where the next one does.
    const begins: number[] = []
    let length = 0
    for (const piece of this.#out) {
      begins.push(length)
      length += piece.length
    }
    return {
      sql: this.#out.join(''),
      originOf: (offset) => {
        const index = Math.max(
          0,
          begins.findLastIndex((begin, token) => begin <= offset && this.#out[token] !== ''),
        )
        const token = this.#tokens[index]
        if (token === undefined) return offset
        const isSame = this.#out[index] === token.text
        return token.at + (isSame ? offset - (begins[index] ?? 0) : 0)
      },
    }
  }

  #look(at: number): void {
    const token = this.#word(at)
    if (token === undefined) return
    if (isSymbol(token, '::')) return this.#cast(at)
    if (isSymbol(token, '~', '!~', '~*', '!~*')) return this.#match(at, token.text)
    if (isSymbol(token, '=', '<>', '!=') && this.#word(at + 1)?.kind === 'string') return this.#listLiteral(at + 1, '')
    if (token.kind === 'string' && /^u&/i.test(token.text)) return this.#refuse('0A000', "U&'…' is not answered here", token)
    const name = nameOf(token)
    if (name === null) return
    if (isWord(token, 'OPERATOR') && isSymbol(this.#word(at + 1), '(')) return this.#operator(at)
    if (isWord(token, 'COLLATE')) return this.#collate(at)
    if (isSymbol(this.#word(at - 1), '.')) return
    if (isSymbol(this.#word(at + 1), '.')) return this.#qualified(at, name)
    this.#plain(at, name)
  }

  /** `schema.name`, and `muster.public.name` */
  #qualified(at: number, name: string): void {
    if (name === 'muster' && SCHEMAS.has(nameOf(this.#word(at + 2)) ?? '')) {
      this.#drop(at, at + 1)
      this.#done.add(at + 2)
      return this.#qualified(at + 2, nameOf(this.#word(at + 2)) ?? '')
    }
    if (!SCHEMAS.has(name)) return
    const inner = nameOf(this.#word(at + 2))
    if (inner === null) return
    if (name === 'public') return this.#drop(at, at + 1)
    if (isSymbol(this.#word(at + 3), '(')) {
      this.#drop(at, at + 1)
      return this.#call(at + 2, inner)
    }
    if (isWord(this.#word(at - 1), 'AS') && !CATALOGUE_NAMES.relations.has(inner)) {
      // The type of a CAST.
      this.#drop(at, at + 1)
      return this.#set(at + 2, TYPES[inner] ?? this.#text(at + 2))
    }
    this.#set(at, 'mcat')
  }

  #plain(at: number, name: string): void {
    if (isSymbol(this.#word(at + 1), '(')) return this.#call(at, name)
    if ((name === 'numeric' || name === 'decimal') && this.#isTypeOfCast(at)) return this.#set(at, 'DOUBLE')
    if (this.#word(at)?.kind === 'word' && SESSION_WORDS.has(name)) return this.#set(at, this.#sessionCall(name))
    const isPlace = isWord(this.#word(at - 1), 'FROM', 'JOIN') || isSymbol(this.#word(at - 1), ',')
    if (isPlace && name.startsWith('pg_') && CATALOGUE_NAMES.relations.has(name)) this.#set(at, `mcat.${quoteName(name)}`)
  }

  /** The name before a `(`. */
  #call(at: number, name: string): void {
    const close = this.#closing(at + 1)
    if (CATALOGUE_ROW_FUNCTIONS.has(name) && close === at + 2) {
      this.#drop(at + 1, at + 2)
      return this.#set(at, `mcat.${quoteName(name)}`)
    }
    if (ROW_FUNCTIONS.has(name)) this.#aliasColumn(at, close)
    if (name === 'to_char' || name === 'to_date' || (name === 'to_timestamp' && this.#word(close - 1)?.kind === 'string'))
      return this.#timeFormat(at, name, close)
    // The engine's own has braces: it would give the template back.
    if (name === 'format' && this.#word(at + 2)?.kind === 'string' && this.#word(at + 2)?.text.includes('%') === true)
      return this.#refuse('0A000', 'format is not answered here; put texts together with || or concat', this.#word(at))
    if (Object.hasOwn(RENAMED, name)) return this.#set(at, RENAMED[name] ?? name)
    if (name === 'current_setting' || name === 'set_config') return this.#settingCall(at, name, close)
    if (SESSION_WORDS.has(name) || name === 'pg_backend_pid') {
      this.#drop(at + 1, close)
      return this.#set(at, this.#sessionCall(name))
    }
    // `mcat` alone goes before the name, so that the check sees which function was meant.
    if (CATALOGUE_NAMES.functions.has(name)) this.#set(at, `mcat.${quoteName(name)}`)
  }

  /** `CAST(x AS type)` */
  #isTypeOfCast(at: number): boolean {
    if (!isWord(this.#word(at - 1), 'AS') || !isSymbol(this.#word(at + 1), ')')) return false
    return isWord(this.#word(this.#opening(at + 1) - 1), 'CAST')
  }

  /** `to_char(time, 'YYYY-MM-DD')`, `to_date(text, …)`, `to_timestamp(text, …)`: the template is known before the statement runs. */
  #timeFormat(at: number, name: string, close: number): void {
    const template = this.#word(close - 1)
    const isPlain = template?.kind === 'string' && isSymbol(this.#word(close - 2), ',')
    const format = isPlain ? timeFormat(literalOf(template)) : null
    if (format === null)
      return this.#refuse(
        '0A000',
        `${name} wants a template for times in quotes, of digits and short names`,
        isPlain ? template : this.#word(at),
      )
    this.#set(close - 1, quoteText(format))
    this.#set(at, name === 'to_char' ? 'strftime' : name === 'to_date' ? 'CAST(strptime' : 'strptime')
    if (name === 'to_date') this.#set(close, ') AS DATE)')
  }

  #sessionCall(name: string): string {
    if (name === 'pg_backend_pid') return `mcat."pg_backend_pid"(${this.#session.pid})`
    return name === 'current_catalog' || name === 'current_schema' ? `mcat."${name}"()` : `mcat."${name}"(${quoteText(this.#session.user)})`
  }

  /** `current_setting('name' [, missing_ok])`, `set_config('name', 'value', is_local)`: both give the value; nothing is set by a SELECT. */
  #settingCall(at: number, name: string, close: number): void {
    const argument = this.#word(at + 2)
    if (argument?.kind !== 'string') return this.#refuse('0A000', `${name} wants the name of a setting in quotes`, this.#word(at))
    const value = name === 'set_config' ? this.#word(at + 4) : undefined
    const known = value?.kind === 'string' ? literalOf(value) : this.#session.setting(literalOf(argument))
    if (known === undefined) return this.#refuse('42704', `unrecognized configuration parameter "${literalOf(argument)}"`, argument)
    this.#drop(at + 1, close)
    this.#set(at, `mcat."${name}"(${quoteText(known)})`)
  }

  /** `FROM unnest(x) y` → `… y(y)`: the column has the name of the alias. */
  #aliasColumn(at: number, close: number): void {
    const before = this.#word(at - 1)
    const isInFrom =
      isWord(before, 'FROM', 'JOIN', 'LATERAL') ||
      (isSymbol(before, ',') && !this.#isInSelectList(at)) ||
      (isSymbol(before, '.') && isWord(this.#word(at - 3), 'FROM', 'JOIN', 'LATERAL'))
    if (!isInFrom) return
    const alias = isWord(this.#word(close + 1), 'AS') ? close + 2 : close + 1
    const token = this.#word(alias)
    const name = nameOf(token)
    const isKeyword =
      token?.kind === 'word' &&
      /^(where|on|join|left|right|inner|full|cross|natural|group|order|limit|union|having|offset|with|window|except|intersect|for|using|tablesample)$/i.test(
        token.text,
      )
    if (name === null || isKeyword || isSymbol(this.#word(alias + 1), '(')) return
    this.#set(alias, `${this.#text(alias)}(${quoteName(name)})`)
  }

  /** Whether the nearest SELECT or FROM before it, on its level, is a SELECT. */
  #isInSelectList(at: number): boolean {
    let depth = 0
    for (let back = at - 1; back >= 0; back -= 1) {
      const token = this.#word(back)
      if (isSymbol(token, ')')) depth += 1
      else if (isSymbol(token, '(')) depth -= 1
      if (depth < 0) return true
      if (depth === 0 && isWord(token, 'SELECT')) return true
      if (depth === 0 && isWord(token, 'FROM')) return false
    }
    return true
  }

  /** `OPERATOR(pg_catalog.~)` → `~` */
  #operator(at: number): void {
    const close = this.#closing(at + 1)
    const sign = this.#word(close - 1)
    if (sign?.kind !== 'symbol') return this.#refuse('42601', 'OPERATOR wants an operator', this.#word(at))
    this.#drop(at, close - 2)
    this.#drop(close, close)
    this.#done.add(close - 1)
    this.#match(close - 1, sign.text, close + 1)
  }

  /** There is one collation: by bytes. */
  #collate(at: number): void {
    const isQualified = isSymbol(this.#word(at + 2), '.')
    const name = nameOf(this.#word(isQualified ? at + 3 : at + 1))
    if (name !== null && /^(default|c|posix|ucs_basic)$/i.test(name)) this.#drop(at, isQualified ? at + 3 : at + 1)
  }

  /** PostgreSQL's `~` finds a pattern anywhere, the engine's wants it to be all of the text; `~*` it has not. */
  #match(at: number, sign: string, operand = at + 1): void {
    const flags = sign.endsWith('*') ? 'is' : 's'
    const pattern = this.#word(operand)
    if (!/^!?~\*?$/.test(sign)) return
    if (pattern?.kind === 'string') {
      this.#set(operand, quoteText(`(?${flags}).*(?:${literalOf(pattern)}).*`))
    } else if (pattern?.kind === 'parameter') {
      this.#set(operand, `('(?${flags}).*(?:' || ${this.#text(operand)} || ').*')`)
    } else if (flags === 'is') return this.#refuse('0A000', `${sign} wants a pattern in quotes`, this.#word(at))
    this.#set(at, sign.replace('*', ''))
  }

  #cast(at: number): void {
    const isQualified = isSymbol(this.#word(at + 2), '.')
    const place = isQualified ? at + 3 : at + 1
    const type = nameOf(this.#word(place))
    if (type === null) return
    const isList = isSymbol(this.#word(place + 1), '[')
    if (isQualified) this.#drop(at + 1, at + 2)
    if (isList && this.#word(at - 1)?.kind === 'string') this.#listLiteral(at - 1, type)
    if (LOOKUPS.has(type) && !isList) return this.#lookup(at, place, type)
    if (LOOKUPS.has(type)) return this.#set(place, 'VARCHAR')
    if (!isSymbol(this.#word(place + 1), '(')) this.#set(place, TYPES[type] ?? this.#text(place))
  }

  /** `x::regclass` → a function around x */
  #lookup(at: number, place: number, type: string): void {
    this.#drop(at, place)
    const begin = this.#operandBegin(at - 1)
    const isText = begin === at - 1 && ['string', 'parameter'].includes(this.#word(begin)?.kind ?? '')
    const callee = type.startsWith('regproc')
      ? 'regproc_text'
      : type === 'regtype' && !isText
        ? 'format_type'
        : `${type}_${isText && type !== 'regrole' ? 'oid' : 'name'}`
    // What it is cast to next says which of the two was meant.
    const wantsOid =
      isSymbol(this.#word(place + 1), '::') &&
      /^(oid|int4|int8|integer|bigint)$/.test(
        nameOf(this.#word(this.#word(place + 2) && isSymbol(this.#word(place + 3), '.') ? place + 4 : place + 2)) ?? '',
      )
    const called = wantsOid && ['regclass', 'regtype', 'regnamespace'].includes(type) ? (isText ? `${type}_oid` : null) : callee
    if (called === null) return
    this.#set(begin, `mcat.${quoteName(called)}(${this.#text(begin)}`)
    this.#set(at - 1, `${this.#text(at - 1)})`)
  }

  /** Where the operand that ends at `at` begins: a name with its dots, a literal, or what stands in brackets, with the function before it. */
  #operandBegin(at: number): number {
    let begin = at
    while (isSymbol(this.#word(begin), ']', ')')) {
      begin = this.#opening(begin)
      if (
        nameOf(this.#word(begin - 1)) === null ||
        isWord(
          this.#word(begin - 1),
          'IN',
          'AND',
          'OR',
          'NOT',
          'SELECT',
          'WHERE',
          'ON',
          'THEN',
          'ELSE',
          'WHEN',
          'FROM',
          'BY',
          'AS',
          'ANY',
          'ALL',
        )
      )
        return begin
      begin -= 1
    }
    while (isSymbol(this.#word(begin - 1), '.')) begin -= 2
    return Math.max(0, begin)
  }

  /** `'{1,2}'` → a list, where PostgreSQL would read it as an array. */
  #listLiteral(at: number, type: string): void {
    const token = this.#word(at)
    if (token?.kind !== 'string') return
    const elements = parseArray(literalOf(token))
    // Without a type beside it, only what cannot be meant as text.
    if (elements === null || (type === '' && !elements.every((element) => element === null || /^\d+$/.test(element)))) return
    this.#set(at, `[${elements.map((element) => (element === null ? 'NULL' : type === '' ? element : quoteText(element))).join(', ')}]`)
  }

  #word(at: number): Token | undefined {
    const index = this.#words[at]
    return index === undefined ? undefined : this.#tokens[index]
  }

  #text(at: number): string {
    return this.#out[this.#words[at] ?? -1] ?? ''
  }

  #set(at: number, text: string): void {
    const index = this.#words[at]
    if (index !== undefined) this.#out[index] = text
  }

  #drop(from: number, to: number): void {
    for (let at = from; at <= to; at += 1) {
      this.#set(at, '')
      this.#done.add(at)
    }
  }

  /** Of the bracket at `at`; the end, when there is none. */
  #closing(at: number): number {
    let depth = 0
    for (let next = at; next < this.#words.length; next += 1) {
      if (isSymbol(this.#word(next), '(', '[')) depth += 1
      if (isSymbol(this.#word(next), ')', ']')) depth -= 1
      if (depth === 0) return next
    }
    return this.#words.length - 1
  }

  #opening(at: number): number {
    let depth = 0
    for (let back = at; back >= 0; back -= 1) {
      if (isSymbol(this.#word(back), ')', ']')) depth += 1
      if (isSymbol(this.#word(back), '(', '[')) depth -= 1
      if (depth === 0) return back
    }
    return 0
  }

  #refuse(sqlState: string, message: string, token: Token | undefined): void {
    this.refusal ??= { sqlState, message, offset: token?.at }
  }
}
