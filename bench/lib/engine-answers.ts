import type { PanelAnswer, QueryAnswer } from '../../src/core/scuba/wire-types.ts'

/** Text: it was refused, and why. */
export type Answer = PanelAnswer | QueryAnswer | string

/** On a busy machine, or while an engine that hung is started anew. */
export function isLate(answer: Answer | undefined): boolean {
  if (answer === undefined) return false
  if (typeof answer === 'string') return /SCUBA_(DEADLINE|DOWN)/.test(answer)
  // Rows that cannot be reached are named; they are not wrong.
  return answer.coverage.missing.some((text) => text.includes('rows that are in ClickHouse ('))
}

/** Why two answers to one question are not the same, or null. */
export function difference(wanted: Answer | undefined, actual: Answer): string | null {
  if (wanted === undefined || typeof wanted === 'string' || typeof actual === 'string')
    return refusal(wanted) === refusal(actual) ? null : `${text(wanted)} against ${text(actual)}`
  if (actual.coverage.missing.length > 0) return `something is missing: ${actual.coverage.missing.join('; ')}`
  if ('rows' in wanted || 'rows' in actual) {
    const [rows, others] = [(wanted as QueryAnswer).rows, (actual as QueryAnswer).rows]
    if (rows.length !== others.length) return `${rows.length} rows against ${others.length}`
    const at = rows.findIndex((row, place) => !row.every((value, column) => isClose(value, others[place]?.[column], 1e-9)))
    return at < 0 ? null : `row ${at}: ${JSON.stringify(rows[at])} against ${JSON.stringify(others[at])}`
  }
  return panelDifference(wanted, actual)
}

/** Where in the statement is of each engine's own: theirs are not the same. */
const refusal = (answer: Answer | undefined): unknown =>
  typeof answer === 'string' ? answer.replaceAll(/ \(line \d+, column \d+\)|"(line|column)":\d+/g, '') : answer

/** It says that other groups may belong among those shown. */
const isOfMany = ({ accuracy }: PanelAnswer): boolean =>
  Object.values(accuracy).some(({ note }) => note?.includes('another one may belong'))

const text = (answer: Answer | undefined): string => (typeof answer === 'string' ? answer.slice(0, 300) : 'an answer')

function panelDifference(wanted: PanelAnswer, actual: PanelAnswer): string | null {
  const isOpen = isOfMany(wanted) || isOfMany(actual)
  if (!isOpen && wanted.groups.length !== actual.groups.length) return `${wanted.groups.length} groups against ${actual.groups.length}`
  const idOf = ({ key, isOther }: PanelAnswer['groups'][number]): string => JSON.stringify([key, isOther])
  const others = new Map(actual.groups.map((group) => [idOf(group), group]))
  for (const group of wanted.groups) {
    const other = others.get(idOf(group))
    if (!other && isOpen) continue
    if (!other) return `the group ${idOf(group)} is not there`
    const steps = new Map(other.series.map(([step, ...values]) => [step, values]))
    if (group.series.length !== other.series.length) return `${idOf(group)}: ${group.series.length} steps against ${other.series.length}`
    for (const [at, calc] of wanted.calc.entries()) {
      const pairs = [
        [group.values[calc], other.values[calc]],
        ...group.series.map(([step, ...values]) => [values[at], steps.get(step)?.[at]]),
      ]
      const bound = wanted.accuracy[calc]?.errorMax ?? 0
      // Each of the two may be off by as much; few are counted one or two wrong.
      const slack = bound === 0 ? 1e-9 : 2.1 * bound
      const wrong = pairs.find(([one, two]) => !isClose(one, two, slack, calc.startsWith('distinct') ? 4 : 0))
      if (wrong) return `${calc} of ${idOf(group)}: ${String(wrong[0])} against ${String(wrong[1])}`
    }
  }
  return null
}

function isClose(one: unknown, two: unknown, share: number, least = 0): boolean {
  if (typeof one !== 'number' || typeof two !== 'number') {
    const [a, b] = [one ?? null, two ?? null]
    return a === b || (a !== null && b !== null && typeof a !== 'boolean' && Number(a) === Number(b))
  }
  return Math.abs(one - two) <= Math.max(least, share * Math.max(Math.abs(one), Math.abs(two)), 1e-9)
}
