import type { TableConfig } from '../registry.ts'
import { rowChecker, type RuleFailure } from './rules.ts'

/** What a declaration says of single rows. */
export interface RowShape {
  /** null: the usual keys */
  timeField: string | null
  /** keys that are no column yet: a new column, `_rest`, or the reason to refuse the row */
  mode: TableConfig['mode']
  /** values are brought into the type of their declared column */
  coerce: boolean
  check: (row: Readonly<Record<string, unknown>>) => RuleFailure[]
}

const OPEN: RowShape = { timeField: null, mode: 'open', coerce: false, check: () => [] }
const shapes = new WeakMap<TableConfig, RowShape>()

/** Made once per declaration. */
export function shapeOf(config: TableConfig | undefined): RowShape {
  if (config === undefined) return OPEN
  let shape = shapes.get(config)
  if (!shape) {
    const { timeField, mode, coerce, rules } = config
    shapes.set(config, (shape = { timeField, mode, coerce, check: Object.keys(rules).length === 0 ? OPEN.check : rowChecker(rules) }))
  }
  return shape
}
