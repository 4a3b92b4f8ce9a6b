import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { fields } from './table.ts'

export interface Explanation {
  code: string
  exit: number
  what: string
  hint: string
  docs: string
}

/** What each exit code means; the help topic `exit-codes` prints the same table. */
export const EXIT_MEANING: Record<number, string> = {
  0: 'done',
  1: 'failed',
  2: 'usage',
  3: 'not found',
  4: 'not permitted',
  5: 'conflict',
  6: 'unavailable, try again',
  7: 'findings',
  8: 'partial',
  70: 'a bug in muster',
  130: 'interrupted (Ctrl-C)',
  143: 'terminated',
}

export function renderExplanation(error: Explanation, view: View): string {
  return [
    paint(view, 'bold', error.code),
    error.what,
    '',
    fields(view, [
      ['do', error.hint],
      ['exit', `${error.exit} (${EXIT_MEANING[error.exit] ?? 'other'})`],
      ['docs', error.docs],
    ]),
  ].join('\n')
}
