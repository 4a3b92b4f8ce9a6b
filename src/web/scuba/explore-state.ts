import { askedOfLink, linkParams } from '../../core/scuba/saved/link.ts'
import type { Explored } from '../../core/scuba/explore/explored.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'

export const TABS = ['groups', 'rows', 'diff'] as const
export type Tab = (typeof TABS)[number]

/** All that the explorer shows follows from this, and this stands in its address. */
export interface Explore extends Explored {
  tab: Tab
}

export function exploreOf(params: URLSearchParams): Explore {
  const tab = params.get('tab')
  const [, from, to] = /^(\d{1,15})-(\d{1,15})$/.exec(params.get('mark') ?? '') ?? []
  return {
    asked: askedOfLink(params),
    tab: TABS.find((each) => each === tab) ?? 'groups',
    mark: from !== undefined && Number(from) < Number(to) ? { fromMs: Number(from), toMs: Number(to) } : null,
    only: params.getAll('only'),
  }
}

/** `table=requests&by=service…`; what is as usual is left out. */
export function searchOf({ asked, tab, mark, only }: Explore): string {
  const params = new URLSearchParams(linkParams(asked))
  if (tab !== 'groups') params.set('tab', tab)
  if (mark !== null) params.set('mark', `${mark.fromMs}-${mark.toMs}`)
  for (const each of only) params.append('only', each)
  return params.toString()
}

/** An item that is there is taken out, another put in. */
export function toggled(list: readonly string[] | undefined, item: string): string[] {
  const before = list ?? []
  return before.includes(item) ? before.filter((each) => each !== item) : [...before, item]
}

/** A question without the lists that are empty. */
export function tidy(asked: Asked): Asked {
  return Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  )
}

export const ROWS_SHOWN = 100
