import { refuse, type MusterError } from '../../kernel/errors.ts'
import type { Calc } from './calc.ts'

/** A condition on a group's value over the whole range. */
export interface Having {
  /** place of the calculation */
  calc: number
  op: '<' | '<=' | '>' | '>=' | '=' | '!='
  value: number
}

/** `count >= 100`, `ratio(status >= 500) > 1%`: one of the panel's calculations, a comparison and a number. */
export function parseHaving(text: string, calcs: readonly Calc[]): Having | MusterError {
  const match = /^(.+?)\s*(<=|>=|!=|<|>|=)\s*(-?\d+(?:\.\d+)?)\s*(%?)\s*$/s.exec(text)
  const calc = calcs.findIndex((candidate) => candidate.text === match?.[1]?.trim())
  if (!match || calc < 0) {
    return refuse('USAGE', `${JSON.stringify(text)} is no condition on this panel's calculations`, {
      hint: `Write one such as "${calcs[0]?.text ?? 'count'} >= 100"; it must be one of ${calcs.map((one) => one.text).join(', ')}.`,
    })
  }
  return { calc, op: match[2] as Having['op'], value: Number(match[3]) / (match[4] === '%' ? 100 : 1) }
}

/** A group without a value meets no condition. */
export function meets({ op, value }: Having, measured: number | null): boolean {
  if (measured === null) return false
  switch (op) {
    case '<':
      return measured < value
    case '<=':
      return measured <= value
    case '>':
      return measured > value
    case '>=':
      return measured >= value
    case '=':
      return measured === value
    case '!=':
      return measured !== value
  }
}
