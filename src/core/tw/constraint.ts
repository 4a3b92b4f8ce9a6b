import type { Constraint } from './schema.ts'

/**
 * `node.region = eu`, `node.arch != arm64`, `node.region in [eu, us]` → the constraint; else a sentence saying what is wrong.
 */
export function parseConstraint(text: string): Constraint | string {
  const match = /^\s*(node(?:\.[A-Za-z0-9_-]+)+)\s*(!=|=|\bin\b)\s*(.+?)\s*$/.exec(text)
  if (!match) {
    return /(<=|>=|<|>|~|\bhas\b|is-set)/.test(text)
      ? `"${text}": the operators are =, != and in; others are not supported yet`
      : `"${text}" is not of the form \`node.region = eu\``
  }
  const [, attribute = '', operator = '', right = ''] = match
  if (operator === 'in') {
    const values = right
      .replace(/^\[(.*)\]$/, '$1')
      .split(',')
      .map((value) => value.trim())
      .filter((value) => value !== '')
    return values.length > 0 ? { attribute, operator: 'in', values, text } : `"${text}" names no value`
  }
  return { attribute, operator: operator === '=' ? '=' : '!=', values: [right], text }
}

/** A missing attribute fails everything but `!=`. */
export function meets(constraint: Constraint, attributes: Readonly<Record<string, string>>): boolean {
  const actual = attributes[constraint.attribute.slice('node.'.length)]
  if (constraint.operator === '!=') return actual === undefined || !constraint.values.includes(actual)
  return actual !== undefined && constraint.values.includes(actual)
}
