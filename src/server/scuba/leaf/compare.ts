import { isRefusal, refuse } from '../../../core/kernel/errors.ts'
import type { ZoneTable } from '../../../core/kernel/zone.ts'
import { earlierRange, type TimeRange } from '../../../core/scuba/plan/range.ts'
import { isZone, schedulingZone } from '../../zones.ts'
import type { Store } from './store.ts'

/** The zone whose days a table counts. */
export function compareZone(store: Store, table: string | undefined): ZoneTable {
  const zone = table === undefined ? undefined : store.registry.current.tables[table]?.timezone
  return schedulingZone(zone !== undefined && isZone(zone) ? zone : 'UTC', Date.now())
}

/** @throws USAGE when there is no range to go back from, or no such time */
export function earlier(
  { sinceMs, untilMs }: { sinceMs?: number | undefined; untilMs?: number | undefined },
  compare: string,
  zone: ZoneTable,
): TimeRange & { forth: (ms: number) => number } {
  if (sinceMs === undefined) throw refuse('USAGE', 'to compare, a range is needed', { hint: 'Say --since, such as --since 1h.' })
  const range = earlierRange({ sinceMs, untilMs: untilMs ?? Date.now() }, compare, zone)
  if (isRefusal(range)) throw range
  return range
}
