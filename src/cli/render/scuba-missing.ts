import type { View } from '../terminal.ts'
import { mark } from './style.ts'

/** What is shown, and below it which leaves it lacks. */
export const withMissing = (shown: string, missing: readonly string[], view: View): string =>
  [shown, ...missing.map((what) => mark(view, 'warn', `missing: ${what}`))].join('\n')
