import { EVENT_TYPE, WATCH_FILTER, type Event } from '../../wire/messages.ts'
import type { KvStore } from '../store-contract.ts'
import { bytesOf, type Version } from '../version.ts'

/** A version, and its event with and without the pair before it: one list each, however many watch it, so that it is made and encoded once. */
export interface SharedEvent {
  readonly version: Version
  /** itself alone, which is what most watches are told of most batches; never changed */
  readonly alone: SharedEvent[]
  plain: EventList | null
  full: EventList | null
}

/** Events that go out together; never changed. */
export interface EventList {
  readonly events: Event[]
  /** roughly what they take on the wire */
  readonly bytes: number
}

export function shared(version: Version): SharedEvent {
  const alone: SharedEvent[] = []
  const item: SharedEvent = { version, alone, plain: null, full: null }
  alone.push(item)
  return item
}

/** The event of one version, as a list. */
export function eventOf(store: KvStore, item: SharedEvent, isWithPrevious: boolean): EventList {
  const { version } = item
  const type = version.isDeleted ? EVENT_TYPE.delete : EVENT_TYPE.put
  if (isWithPrevious) return (item.full ??= listOf({ type, kv: version, prev_kv: store.previousOf(version) }))
  return (item.plain ??= listOf({ type, kv: version, prev_kv: null }))
}

const listOf = (event: Event): EventList => ({ events: [event], bytes: eventBytes(event) })

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
