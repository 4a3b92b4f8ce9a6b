import type { Asked } from './schema.ts'
import { VIEWS, type View } from './views.ts'

/** A question as the parameters of a link, `[name, value]`, in one order, so that equal questions have equal links; a list is one parameter an item. */
export function linkParams(asked: Asked): [string, string][] {
  const { table, sql, where = [], calc = [], by = [], since, until, step, top, other, compare, view, heat } = asked
  const one = (name: string, value: string | number | undefined): [string, string][] => (value === undefined ? [] : [[name, String(value)]])
  const each = (name: string, values: readonly string[]): [string, string][] => values.map((value) => [name, value])
  return [
    ...one('table', table),
    ...one('sql', sql),
    ...each('where', where),
    ...each('calc', calc),
    ...each('by', by),
    ...one('since', since),
    ...one('until', until),
    ...one('step', step),
    ...one('top', top),
    ...one('other', other === true ? 'yes' : undefined),
    ...one('compare', compare),
    ...one('view', view),
    ...one('heat', heat),
  ]
}

/** The question of a link; what it does not know is left out, since links outlive the version that made them. */
export function askedOfLink(params: Iterable<readonly [string, string]>): Asked {
  const asked: Asked = {}
  for (const [name, value] of params) {
    if (value === '') continue
    switch (name) {
      case 'table':
      case 'sql':
      case 'since':
      case 'until':
      case 'step':
      case 'compare':
      case 'heat':
        asked[name] = value
        break
      case 'where':
      case 'calc':
      case 'by':
        asked[name] = [...(asked[name] ?? []), value]
        break
      case 'top':
        if (/^[1-9]\d?$/.test(value)) asked.top = Math.min(50, Number(value))
        break
      case 'other':
        asked.other = value === 'yes'
        break
      case 'view':
        if (isView(value)) asked.view = value
        break
      default:
    }
  }
  return asked
}

const isView = (text: string): text is View => (VIEWS as readonly string[]).includes(text)
