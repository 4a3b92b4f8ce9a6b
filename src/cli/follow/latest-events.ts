import type { Client } from '../client.ts'
import type { EntryLike } from '../render/tw-events.ts'

const FIRST_WINDOW = 400
/** Entries looked at for the last ones, however few of them match: about a second's work of the server. */
const LOOKED_AT_MAX = 200_000

/**
 * The last `count` entries before a position that match, oldest first, looking further and further back; and from where on it looked.
 */
export async function latestEvents(
  client: Client,
  wish: { types: string[]; job: string | undefined; node: string | undefined },
  before: number,
  count: number,
  isMatch: (entry: EntryLike) => boolean,
  signal: AbortSignal,
): Promise<{ events: EntryLike[]; from: number }> {
  let events: EntryLike[] = []
  let to = before
  for (let size = Math.max(FIRST_WINDOW, count); events.length < count && to > 0 && before - to < LOOKED_AT_MAX; size *= 4) {
    const from = Math.max(0, to - size)
    const window: EntryLike[] = []
    for await (const { entry } of client.events({ ...wish, from, until: to, signal }))
      if (isMatch(entry as EntryLike)) window.push(entry as EntryLike)
    if (signal.aborted) break
    events = [...window, ...events]
    to = from
  }
  return { events: events.slice(-count), from: to }
}
