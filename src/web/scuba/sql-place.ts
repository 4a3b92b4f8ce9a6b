/** Where in a text something is wrong. */
export interface Place {
  /** from 1 */
  line: number
  column: number
  /** in the text, from 0 */
  offset: number
  /** the line itself */
  text: string
}

/** The place that an error's details name, by position or by line and column; null: it names none in this text. */
export function placeOf(sql: string, details: unknown): Place | null {
  const { position, line, column } = (details ?? {}) as { position?: unknown; line?: unknown; column?: unknown }
  const lines = sql.split('\n')
  if (typeof line === 'number' && typeof column === 'number') {
    const text = lines[line - 1]
    if (text === undefined) return null
    const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0)
    return { line, column, offset: Math.min(sql.length, before + column - 1), text }
  }
  if (typeof column === 'string') {
    // The engine points at the first use of a statement's columns, not at the one it does not know.
    const named = new RegExp(String.raw`(?<![\w"])"?${column.replaceAll(/[^\w]/g, String.raw`\$&`)}(?!\w)`, 'i').exec(sql)
    if (named !== null) return placeAt(sql, named.index)
  }
  if (typeof position !== 'number' || position < 0 || position > sql.length) return null
  return placeAt(sql, position)
}

function placeAt(sql: string, position: number): Place {
  const lines = sql.split('\n')
  const before = sql.slice(0, position).split('\n')
  const at = before.length
  return { line: at, column: (before.at(-1)?.length ?? 0) + 1, offset: position, text: lines[at - 1] ?? '' }
}
