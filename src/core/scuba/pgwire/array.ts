/** PostgreSQL's text form of a one-dimensional array: `{1,NULL,"a b"}` ("Array Input and Output Syntax"). */

export function arrayText(elements: readonly (string | null)[]): string {
  return `{${elements.map((element) => (element === null ? 'NULL' : quoted(element))).join(',')}}`
}

const quoted = (text: string): string =>
  text === '' || /[{}",\\\s]/.test(text) || text.toUpperCase() === 'NULL' ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : text

/** null: it is not of that form */
export function parseArray(text: string): (string | null)[] | null {
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1]
  if (body === undefined) return null
  if (body.trim() === '') return []
  const elements: (string | null)[] = []
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}\\]+))\s*(,|$)/sy
  for (let isOver = false; !isOver;) {
    const match = pattern.exec(body)
    if (match === null) return null
    const [, inQuotes, plain, end] = match
    if (inQuotes !== undefined) elements.push(inQuotes.replaceAll(/\\(.)/gs, '$1'))
    else elements.push(plain?.trim().toUpperCase() === 'NULL' ? null : (plain ?? '').trim())
    isOver = end !== ','
  }
  return pattern.lastIndex === body.length ? elements : null
}
