import type { Asked } from '../../core/scuba/saved/schema.ts'
import { groupConditions } from '../../core/scuba/explore/conditions.ts'
import type { PanelGroup } from '../../core/scuba/wire-types.ts'

export const PANES = ['columns', 'chart', 'bottom'] as const
export type Pane = (typeof PANES)[number]

export const TABS = ['groups', 'rows', 'diff'] as const
export type Tab = (typeof TABS)[number]

export const ROWS_SHOWN = 200

/** The question with a list changed; a list that becomes empty is left out. */
export function withList(asked: Asked, list: 'where' | 'by' | 'calc', items: readonly string[]): Asked {
  const { [list]: _before, ...rest } = asked
  return items.length === 0 ? rest : { ...rest, [list]: [...new Set(items)] }
}

/** In the list it is taken out, else it is added behind. */
export function toggled(asked: Asked, list: 'by' | 'calc', item: string): Asked {
  const before = asked[list] ?? []
  return withList(asked, list, before.includes(item) ? before.filter((it) => it !== item) : [...before, item])
}

export const COMPARISONS = [undefined, '1w', '1d', '1h'] as const

export function nextComparison({ compare, ...asked }: Asked): Asked {
  const next = COMPARISONS[(COMPARISONS.findIndex((it) => it === compare) + 1) % COMPARISONS.length]
  return next === undefined ? asked : { ...asked, compare: next }
}

/** `1h`, or two times with a blank between them; null: neither. */
export function rangeText(text: string): Pick<Asked, 'since' | 'until'> | null {
  const [since = '', until, ...more] = text.trim().split(/\s+/)
  if (since === '' || more.length > 0) return null
  return until === undefined ? { since } : { since, until }
}

export const groupOnly = (by: readonly string[], group: PanelGroup): string[] => (group.isOther ? [] : groupConditions(by, group.key))
