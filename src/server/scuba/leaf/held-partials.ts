import type { PanelPlan } from '../../../core/scuba/plan/panel.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { Gathering } from './gather.ts'
import type { CachedPartial, Clip } from './partial-cache.ts'

/** Partials that serve the question, of other files each, and the files that none of them is of. What is of no more use goes. */
export function heldNow(asked: Gathering, key: string, isByStep: boolean): { held: CachedPartial[]; missing: ViewFile[] } {
  const { partials } = asked.engines
  const missing = new Map(asked.table.files.map((file) => [file.path, file]))
  const held = [...partials.of(key)].filter((cached) => {
    const fit = fitsNow(cached, asked, missing, isByStep)
    if (fit === 'gone') partials.drop(key, cached)
    if (fit === 'fits') for (const { path } of cached.files) missing.delete(path)
    return fit === 'fits'
  })
  return { held, missing: [...missing.values()] }
}

/** Whether all rows of a step are in the range or none: then partials of whole files serve any range. */
export const isAligned = ({ stepMs, sinceMs, untilMs }: PanelPlan): boolean =>
  stepMs !== null && sinceMs % stepMs === 0 && untilMs % stepMs === 0

type Fit = 'fits' | 'not-now' | 'gone'

function fitsNow(cached: CachedPartial, { plan, table }: Gathering, missing: ReadonlyMap<string, ViewFile>, isByStep: boolean): Fit {
  let isAny = false
  for (const file of cached.files) {
    if (missing.has(file.path)) {
      isAny = true
      if (!isSameClip(cached.clip, clipOf(file, plan, isByStep))) return 'not-now'
    } else if (isInRange(file, plan)) {
      // Taken by another partial already, or no longer a file of the table.
      return table.files.some(({ path }) => path === file.path) ? 'not-now' : 'gone'
    } else if (!isByStep) {
      return 'not-now'
    }
  }
  return isAny ? 'fits' : 'not-now'
}

const isInRange = ({ minUs, maxUs }: ViewFile, { sinceMs, untilMs }: PanelPlan): boolean =>
  maxUs >= sinceMs * 1000 && minUs < untilMs * 1000
const isSameClip = (a: Clip, b: Clip): boolean => a.sinceMs === b.sinceMs && a.untilMs === b.untilMs

/** What of a file belongs to the range. By steps the whole file is taken if half of it does: its partial then stays useful. */
export function clipOf({ minUs, maxUs }: ViewFile, { sinceMs, untilMs }: PanelPlan, isByStep: boolean): Clip {
  if (isByStep) {
    const inside = Math.min(maxUs, untilMs * 1000) - Math.max(minUs, sinceMs * 1000)
    if (inside * 2 >= maxUs - minUs) return {}
  }
  return { ...(minUs < sinceMs * 1000 ? { sinceMs } : {}), ...(maxUs >= untilMs * 1000 ? { untilMs } : {}) }
}
