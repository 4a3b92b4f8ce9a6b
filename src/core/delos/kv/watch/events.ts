import { EVENT_TYPE, WATCH_FILTER, type Event } from '../../wire/messages.ts'
import type { KvStore } from '../store-contract.ts'
import { bytesOf, type Version } from '../version.ts'

/** The event of a version, with and without the pair before it: one object each, however many watch it, so it can be encoded once. */
export interface SharedEvent {
  readonly version: Version
  plain: Event | null
  full: Event | null
}

export function eventFor(store: KvStore, shared: SharedEvent, isWithPrevious: boolean): Event {
  const type = shared.version.isDeleted ? EVENT_TYPE.delete : EVENT_TYPE.put
  if (isWithPrevious) return (shared.full ??= { type, kv: shared.version, prev_kv: store.previousOf(shared.version) })
  return (shared.plain ??= { type, kv: shared.version, prev_kv: null })
}

export const isFilteredOut = (filters: readonly number[], version: Version): boolean =>
  filters.length > 0 && filters.includes(version.isDeleted ? WATCH_FILTER.noDelete : WATCH_FILTER.noPut)

/** Roughly what an event takes on the wire. */
export function eventBytes({ kv, prev_kv: before }: Event): number {
  return bytesOf(kv as Version) + (before === null ? 0 : bytesOf(before as Version))
}

/** Cuts events into parts of at most `bytesMax` each; an event that is larger has one of its own. */
export function fragmentsOf(events: readonly Event[], bytesMax: number): Event[][] {
  const parts: Event[][] = []
  let part: Event[] = []
  let size = 0
  for (const event of events) {
    const bytes = eventBytes(event)
    if (part.length > 0 && size + bytes > bytesMax) {
      parts.push(part)
      part = []
      size = 0
    }
    part.push(event)
    size += bytes
  }
  parts.push(part)
  return parts
}
