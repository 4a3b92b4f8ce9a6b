import type { Asked } from './schema.ts'

/** The command that answers the same question in a terminal. */
export function commandOf(asked: Asked): string {
  const { table = '', sql, where = [], calc = [], by = [], since, until, step, top, other, compare } = asked
  const flag = (name: string, value: string | number | undefined): string[] =>
    value === undefined || value === '' ? [] : [`--${name} ${shellWord(String(value))}`]
  const range = [...flag('since', since), ...flag('until', until)]
  if (sql !== undefined) return ['muster scuba query', shellWord(sql), ...range].join(' ')
  return [
    'muster scuba panel',
    table,
    ...flag('where', whereOf(where)),
    ...flag('calc', calc.join(',')),
    ...flag('by', by.join(',')),
    ...flag('step', step),
    ...range,
    ...flag('top', top),
    ...(other === true ? ['--other'] : []),
    ...flag('compare', compare),
  ].join(' ')
}

/** Conditions as one: each in brackets where there are several. */
export function whereOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? '') : conditions.map((condition) => `(${condition})`).join(' AND ')
}

/** As one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
