/** What a variable reference asked for and did not get. */
export interface InterpolationProblem {
  /** where in the document */
  path: string
  message: string
}

const REFERENCE = /\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))/g

/**
 * Compose interpolation of every text in a document: `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`,
 * `${VAR:?message}`, `${VAR?message}`, `${VAR:+other}`, `${VAR+other}`, `$$`. Defaults inside defaults are not resolved.
 */
export function interpolate(
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
  problems: InterpolationProblem[],
  path = '',
): unknown {
  if (typeof value === 'string') return interpolateText(value, env, problems, path)
  if (Array.isArray(value)) return value.map((item, i) => interpolate(item, env, problems, `${path}[${i}]`))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, interpolate(inner, env, problems, path === '' ? key : `${path}.${key}`)]),
  )
}

function interpolateText(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  problems: InterpolationProblem[],
  path: string,
): string {
  return text.replace(
    REFERENCE,
    (whole, braced: string | undefined, operator: string | undefined, word: string | undefined, plain: string | undefined) => {
      if (whole === '$$') return '$'
      const name = braced ?? plain ?? ''
      const value = env[name]
      // With a colon an empty value counts as none.
      const isSet = value !== undefined && (!operator?.startsWith(':') || value !== '')
      if (operator?.endsWith('-')) return isSet ? value : (word ?? '')
      if (operator?.endsWith('+')) return isSet ? (word ?? '') : ''
      if (operator?.endsWith('?') && !isSet) problems.push({ path, message: word || `the variable ${name} is required` })
      return value ?? ''
    },
  )
}

/** Words of a command line, as compose splits one: quotes group, a backslash takes the next letter as it is. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  let word: string | null = null
  let quote: string | null = null
  for (let i = 0; i < text.length; i += 1) {
    const letter = text.charAt(i)
    if (letter === '\\' && quote !== "'") {
      i += 1
      word = (word ?? '') + text.charAt(i)
    } else if (quote !== null) {
      if (letter === quote) quote = null
      else word = (word ?? '') + letter
    } else if (letter === '"' || letter === "'") {
      quote = letter
      word ??= ''
    } else if (/\s/.test(letter)) {
      if (word !== null) words.push(word)
      word = null
    } else {
      word = (word ?? '') + letter
    }
  }
  if (word !== null) words.push(word)
  return words
}
