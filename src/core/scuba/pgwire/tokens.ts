/** SQL cut into words ("Lexical Structure" of PostgreSQL's documentation), without knowing what they mean. Joined they are the text again. */

export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'symbol' | 'space'
  text: string
  /** characters into the text */
  at: number
}

const PATTERNS: [Token['kind'], RegExp][] = [
  ['space', /\s+|--[^\n]*/y],
  ['string', /[eE]'[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*(?:'|$)|(?:[bBxX]|[uU]&)?'[^']*(?:''[^']*)*(?:'|$)/y],
  ['string', /\$([A-Za-z_\u0080-\uFFFF][\w\u0080-\uFFFF]*)?\$[\s\S]*?(?:\$\1\$|$)/y],
  ['quoted', /"[^"]*(?:""[^"]*)*(?:"|$)/y],
  ['word', /[A-Za-z_\u0080-\uFFFF][\w$\u0080-\uFFFF]*/y],
  ['number', /\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?/y],
  ['parameter', /\$\d+/y],
  ['symbol', /::|!~~\*|!~~|!~\*|!~|~~\*|~~|~\*|<>|!=|>=|<=|\|\||->>|->|=>|[\s\S]/y],
]

export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < text.length;) {
    const token = comment(text, at) ?? tokenAt(text, at)
    tokens.push(token)
    at += token.text.length
  }
  return tokens
}

function tokenAt(text: string, at: number): Token {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null && match[0] !== '') return { kind, text: match[0], at }
  }
  return { kind: 'symbol', text: text.charAt(at), at }
}

/** C comments nest. */
function comment(text: string, at: number): Token | null {
  if (!text.startsWith('/*', at)) return null
  const mark = /\/\*|\*\//g
  mark.lastIndex = at
  for (let depth = 0, match = mark.exec(text); match !== null; match = mark.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return { kind: 'space', text: text.slice(at, mark.lastIndex), at }
  }
  return { kind: 'space', text: text.slice(at), at }
}

/** The statements of a text, each with its tokens; a `;` ends one. Empty ones are left out. */
export function statementsOf(text: string): Token[][] {
  const statements: Token[][] = []
  let current: Token[] = []
  for (const token of tokensOf(text)) {
    if (token.kind === 'symbol' && token.text === ';') {
      statements.push(current)
      current = []
    } else current.push(token)
  }
  statements.push(current)
  return statements.filter((tokens) => tokens.some(({ kind }) => kind !== 'space'))
}

/** The name that a word or a quoted word is. */
export function nameOf(token: Token | undefined): string | null {
  if (token?.kind === 'word') return token.text.toLowerCase()
  if (token?.kind === 'quoted') return token.text.slice(1, -1).replaceAll('""', '"')
  return null
}

/** What a string literal stands for. */
export function literalOf({ text }: Token): string {
  if (text.startsWith('$')) {
    const mark = text.indexOf('$', 1) + 1
    return text.slice(mark, -mark)
  }
  const begin = text.indexOf("'")
  const body = text.slice(begin + 1, -1).replaceAll("''", "'")
  return /^e/i.test(text)
    ? body.replaceAll(/\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{4}|[\s\S])/g, (_, code: string) => escaped(code))
    : body
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

function escaped(code: string): string {
  if (/^[xu]./.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
  if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
  return ESCAPES[code] ?? code
}

/** The statement's words in order, without space; a quoted word or a literal keeps its spelling. */
export const wordsOf = (tokens: readonly Token[]): Token[] => tokens.filter(({ kind }) => kind !== 'space')

/** Words are compared without case. */
export const isWord = (token: Token | undefined, ...words: string[]): boolean =>
  token?.kind === 'word' && words.includes(token.text.toUpperCase())

export const isSymbol = (token: Token | undefined, ...symbols: string[]): boolean =>
  token?.kind === 'symbol' && symbols.includes(token.text)
