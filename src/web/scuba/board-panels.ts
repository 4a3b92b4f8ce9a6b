import { linkParams } from '../../core/scuba/saved/link.ts'
import type { StoredSaved } from '../../core/scuba/saved/queries.ts'
import type { Asked, Board, BoardPanel } from '../../core/scuba/saved/schema.ts'

/** A panel of a board as it is asked. */
export interface ShownPanel {
  title: string
  /** of twelve columns */
  width: number
  /** null: the saved query it shows is gone */
  asked: Asked | null
  /** of that saved query */
  saved: string | null
}

/**
 * The panels of a board: those of saved queries with what is saved, and all over the board's range unless they name one.
 * @param range instead of the board's own and those of its panels
 */
export function shownPanels(
  { panels, since }: Board,
  saved: readonly StoredSaved[],
  range: Pick<Asked, 'since' | 'until'> | null,
): ShownPanel[] {
  return panels.map((panel) => {
    const { title, width = 6, saved: name, ...own } = panel
    const found = name === undefined ? own : (saved.find(({ query }) => query.name === name)?.query ?? null)
    return { title, width, saved: name ?? null, asked: found === null ? null : withRange(questionOf(found), since, range) }
  })
}

function questionOf(panel: Partial<BoardPanel> & { name?: string }): Asked {
  const { title: _title, width: _width, saved: _saved, name: _name, ...asked } = panel
  return asked
}

function withRange(asked: Asked, since: string, range: Pick<Asked, 'since' | 'until'> | null): Asked {
  return range === null ? { ...asked, since: asked.since ?? since } : { ...asked, since: range.since, until: range.until }
}

/** Where the explorer, or the SQL page, shows the same. */
export function linkOf(asked: Asked): string {
  return `/${asked.sql === undefined ? 'scuba' : 'sql'}?${new URLSearchParams(linkParams(asked)).toString()}`
}
