import type { Event, ResponseHeader, WatchCreateRequest, WatchResponse } from '../../wire/messages.ts'
import type { RpcError, Sink } from '../../wire/service.ts'
import { spanOf, type KeySpan } from '../key-ranges.ts'
import { header } from '../state.ts'
import { KV_RULES, type KvRules } from '../rules.ts'
import type { KvStore } from '../store-contract.ts'
import type { Version } from '../version.ts'
import { eventOf, fragmentsOf, isFilteredOut, shared, type EventList, type SharedEvent } from './events.ts'
import { SpanIndex } from './span-index.ts'

export interface WatchHubOptions {
  /** a response of a watch with `fragment` is cut here */
  readonly fragmentBytesMax: number
  /** what waits for a slow reader before its watches are left behind */
  readonly bufferBytesMax: number
  /** what may wait beyond that of answers without events; a stream with more is ended */
  readonly answersBytesMax: number
  /** a response ends after the revision that reaches this */
  readonly responseBytesMax: number
  /** versions that one watch may look at before the next has its turn */
  readonly sliceMax: number
  /** `step` has something to do again: a watch began in the past, or a slow reader caught up */
  readonly onDue: () => void
  readonly rules: Pick<KvRules, 'doesProgressWait' | 'isWatchPermitted'>
}

const DEFAULTS: WatchHubOptions = {
  fragmentBytesMax: 1.5 * 1024 * 1024,
  bufferBytesMax: 4 * 1024 * 1024,
  answersBytesMax: 1024 * 1024,
  responseBytesMax: 1024 * 1024,
  sliceMax: 1000,
  onDue: () => undefined,
  rules: KV_RULES,
}

export type WatchSink = Pick<Sink<WatchResponse>, 'send' | 'onReady' | 'end'>

/** One client's stream with its watches. */
export interface WatchStream {
  create(request: WatchCreateRequest): void
  /** An unknown id is ignored, as in etcd. */
  cancel(watchId: number): void
  /** Asks for a bookmark; it comes when all watches of the stream have been sent everything up to it. */
  requestProgress(): void
  /** Ends every watch with a reason, e.g. that there is no leader. */
  cancelAll(reason: string): void
  /** The stream is gone. */
  close(): void
  readonly watchCount: number
}

/**
 * Carries the changes of the store to those who watch. For each watch: every revision from its start on, in order, once, as a whole; and no
 * progress beyond what was sent. A watch is *synced* if it has been sent all that was published, else it catches up in slices.
 */
export interface WatchHub {
  /** @param permit whether the caller may read the range; null: yes */
  open(sink: WatchSink, permit: (key: string, rangeEnd: string) => RpcError | null): WatchStream
  /** Sends what was applied since the last time. Call it after every batch, before `compactStep`, which may throw it away. */
  publish(): void
  /**
   * The store was replaced by another server's, as of now: watches go on from where they are, or are cancelled as compacted if that is
   * no longer there. Then call `step`.
   */
  restored(): void
  /** Lets watches that are behind catch up, looking at about `budget` versions. @returns whether there is more to do now */
  step(budget: number): boolean
  /** Call it every progress interval (10 min): a bookmark for each quiet watch with `progress_notify`. */
  notifyProgress(): void
  readonly watchCount: number
  readonly unsyncedCount: number
  /** revisions that the watch which is furthest behind has still to be told of */
  readonly behind: number
  /** of what was told to readers that do not read */
  readonly waitingBytes: number
  /** revision up to which synced watches have been sent everything */
  readonly published: number
}

interface Watch {
  readonly id: number
  readonly stream: Stream
  readonly span: KeySpan
  readonly isSingle: boolean
  readonly filters: readonly number[]
  readonly isWithPrevious: boolean
  readonly isFragmented: boolean
  readonly isNotifying: boolean
  /** of an unsynced watch: the first revision not sent; of a synced one: nothing below it is sent */
  next: number
  isSynced: boolean
  /** since the last progress notice */
  wasSent: boolean
  /** what this publish has for it; lists of none and of one are shared */
  pending: SharedEvent[]
}

interface Stream {
  readonly sink: WatchSink
  readonly watches: Map<number, Watch>
  nextId: number
  isReady: boolean
  isClosed: boolean
  waiting: { response: WatchResponse; bytes: number }[]
  waitingBytes: number
  isProgressAsked: boolean
}

/** @param store its journal is where the hub reads from */
export function createWatchHub(store: KvStore, options: Partial<WatchHubOptions> = {}): WatchHub {
  const limits = { ...DEFAULTS, ...options }
  const { rules } = limits
  const streams = new Set<Stream>()
  const single = new Map<string, Set<Watch>>()
  const ranges = new SpanIndex<Watch>()
  /** in turn; a Set keeps the order of entry */
  const unsynced = new Set<Watch>()
  /** streams that asked for a bookmark which is not due yet */
  const asking = new Set<Stream>()
  let published = store.revision
  let watchCount = 0
  /** of all events of one publish */
  let headerNow = header(published)

  // ------------------------------------------------------------------------------------------------- sending

  const deliver = (stream: Stream, response: WatchResponse, bytes: number): void => {
    if (stream.isClosed) return
    if (stream.isReady && stream.waiting.length === 0) {
      stream.isReady = stream.sink.send(response)
      return
    }
    stream.waiting.push({ response, bytes })
    stream.waitingBytes += bytes
    // Events keep within the bound by being left behind; so these are answers to somebody who asks and asks and never reads.
    if (stream.waitingBytes > limits.bufferBytesMax + limits.answersBytesMax && response.events.length === 0) abandon(stream)
  }

  const abandon = (stream: Stream): void => {
    close(stream)
    stream.sink.end(UNREAD)
  }

  const flush = (stream: Stream): void => {
    stream.isReady = true
    let sent = 0
    while (stream.isReady && !stream.isClosed) {
      const next = stream.waiting[sent]
      if (next === undefined) break
      sent += 1
      stream.waitingBytes -= next.bytes
      stream.isReady = stream.sink.send(next.response)
    }
    stream.waiting.splice(0, sent)
    if (canTake(stream) && unsynced.size > 0) limits.onDue()
  }

  const headerOfPublished = (): ResponseHeader => {
    if (headerNow.revision !== published) headerNow = header(published)
    return headerNow
  }

  /** Sends whole revisions to one watch. @returns false if its reader is too slow: nothing was sent */
  const sendEvents = (watch: Watch, { events, bytes }: EventList): boolean => {
    const { stream } = watch
    if (stream.waiting.length > 0 && stream.waitingBytes + bytes > limits.bufferBytesMax) return false
    watch.wasSent = true
    if (!watch.isFragmented || bytes <= limits.fragmentBytesMax) {
      deliver(stream, eventsTo(watch.id, headerOfPublished(), events, false), bytes)
      return true
    }
    const parts = fragmentsOf(events, limits.fragmentBytesMax)
    parts.forEach((part, i) => {
      const isLast = i === parts.length - 1
      deliver(stream, eventsTo(watch.id, headerOfPublished(), part, !isLast), Math.ceil(bytes / parts.length))
    })
    return true
  }

  /**
   * Sends what a watch has to see of versions in order, cut into responses between revisions.
   * @returns the revision of the first that was not sent because the reader is slow; null: all were
   */
  const sendVersions = (watch: Watch, items: readonly SharedEvent[]): number | null => {
    const [first] = items
    if (first === undefined) return null
    if (items.length === 1) return sendEvents(watch, eventOf(store, first, watch.isWithPrevious)) ? null : first.version.mod_revision
    let events: Event[] = []
    let bytes = 0
    let last = 0
    for (const item of items) {
      const { mod_revision: revision } = item.version
      if (revision !== last && bytes >= limits.responseBytesMax) {
        if (!sendEvents(watch, { events, bytes })) return events[0]?.kv.mod_revision ?? revision
        events = []
        bytes = 0
      }
      const one = eventOf(store, item, watch.isWithPrevious)
      events.push(...one.events)
      bytes += one.bytes
      last = revision
    }
    return sendEvents(watch, { events, bytes }) ? null : (events[0]?.kv.mod_revision ?? last)
  }

  const answerProgress = (stream: Stream): void => {
    if (rules.doesProgressWait) for (const watch of stream.watches.values()) if (!watch.isSynced || watch.next > published + 1) return
    stream.isProgressAsked = false
    asking.delete(stream)
    deliver(stream, responseTo(-1, published, {}), 64)
  }

  // ------------------------------------------------------------------------------------------------- watches

  const enter = (watch: Watch): void => {
    watch.stream.watches.set(watch.id, watch)
    watchCount += 1
    if (!watch.isSynced) unsynced.add(watch)
    if (!watch.isSingle) {
      ranges.add(watch.span, watch)
      return
    }
    const others = single.get(watch.span.from)
    if (others === undefined) single.set(watch.span.from, new Set([watch]))
    else others.add(watch)
  }

  const leave = (watch: Watch): void => {
    watch.stream.watches.delete(watch.id)
    watchCount -= 1
    unsynced.delete(watch)
    if (!watch.isSingle) {
      ranges.remove(watch.span, watch)
      return
    }
    const others = single.get(watch.span.from)
    others?.delete(watch)
    if (others?.size === 0) single.delete(watch.span.from)
  }

  const close = (stream: Stream): void => {
    stream.isClosed = true
    stream.waiting = []
    for (const watch of [...stream.watches.values()]) leave(watch)
    streams.delete(stream)
    asking.delete(stream)
  }

  const cancel = (watch: Watch, more: Partial<WatchResponse>): void => {
    leave(watch)
    deliver(watch.stream, responseTo(watch.id, published, { canceled: true, ...more }), 64)
    if (watch.stream.isProgressAsked) answerProgress(watch.stream)
  }

  const fallBehind = (watch: Watch, revision: number): void => {
    watch.isSynced = false
    watch.next = revision
    unsynced.add(watch)
  }

  const create = (stream: Stream, request: WatchCreateRequest, permit: (key: string, rangeEnd: string) => RpcError | null): void => {
    if (stream.isClosed) return
    const key = request.key === '' ? '\0' : request.key
    const rangeEnd = request.range_end
    const now = store.revision
    const refuse = (reason: string): void =>
      deliver(stream, responseTo(-1, now, { created: true, canceled: true, cancel_reason: reason }), 128)

    const refusal = rules.isWatchPermitted ? permit(key, rangeEnd) : null
    // etcd puts the error as gRPC prints it, and its clients look for that.
    if (refusal !== null) return refuse(`rpc error: code = ${CODE_NAMES[refusal.code] ?? 'Unknown'} desc = ${refusal.text}`)
    if (rangeEnd !== '' && rangeEnd !== '\0' && key >= rangeEnd) return refuse('mvcc: watcher range is empty')
    if (request.watch_id !== 0 && stream.watches.has(request.watch_id))
      return refuse('mvcc: duplicate watch ID provided on the WatchStream')

    let id = request.watch_id
    if (id === 0) {
      while (stream.watches.has(stream.nextId)) stream.nextId += 1
      id = stream.nextId
      stream.nextId += 1
    }
    const start = request.start_revision > 0 ? request.start_revision : now + 1
    const watch: Watch = {
      id,
      stream,
      span: spanOf(key, rangeEnd),
      isSingle: rangeEnd === '',
      filters: request.filters,
      isWithPrevious: request.prev_kv,
      isFragmented: request.fragment,
      isNotifying: request.progress_notify,
      next: start,
      isSynced: start > published,
      wasSent: false,
      pending: NOTHING,
    }
    enter(watch)
    deliver(stream, responseTo(id, now, { created: true }), 64)
    if (!watch.isSynced) limits.onDue()
  }

  /** Gives one watch its slice. @returns how many versions were looked at */
  const catchUp = (watch: Watch): number => {
    if (watch.next < store.compactRevision) {
      cancel(watch, { compact_revision: store.compactRevision })
      return 1
    }
    const versions = watch.isSingle
      ? store.changesOfKey(watch.span.from, watch.next, limits.sliceMax)
      : store.changesFrom(watch.next, limits.sliceMax)
    const isEnd = versions.length < limits.sliceMax
    const wanted = versions.filter((version) => isWanted(watch, version) && version.mod_revision <= published)
    const stoppedAt = sendVersions(watch, wanted.map(shared))
    if (stoppedAt !== null) watch.next = stoppedAt
    else {
      const last = versions[versions.length - 1]?.mod_revision ?? published
      watch.next = isEnd || last > published ? published + 1 : last + 1
      if (watch.next > published) {
        watch.isSynced = true
        unsynced.delete(watch)
        if (watch.stream.isProgressAsked) answerProgress(watch.stream)
      }
    }
    return versions.length + 1
  }

  return {
    open: (sink, permit) => {
      const stream: Stream = {
        sink,
        watches: new Map(),
        nextId: 0,
        isReady: true,
        isClosed: false,
        waiting: [],
        waitingBytes: 0,
        isProgressAsked: false,
      }
      streams.add(stream)
      sink.onReady(() => flush(stream))
      return {
        create: (request) => create(stream, request, permit),
        cancel: (watchId) => {
          const watch = stream.watches.get(watchId)
          if (watch !== undefined) cancel(watch, {})
        },
        requestProgress: () => {
          stream.isProgressAsked = true
          asking.add(stream)
          answerProgress(stream)
        },
        cancelAll: (reason) => {
          for (const watch of [...stream.watches.values()]) cancel(watch, { cancel_reason: reason })
        },
        close: () => close(stream),
        get watchCount() {
          return stream.watches.size
        },
      }
    },

    publish: () => {
      if (store.revision <= published) return
      const versions = watchCount === 0 ? [] : store.changesFrom(published + 1, Infinity)
      const touched: Watch[] = []
      published = store.revision
      for (const version of versions) {
        let event: SharedEvent | null = null
        const match = (watch: Watch): void => {
          if (!watch.isSynced || version.mod_revision < watch.next || isFilteredOut(watch.filters, version)) return
          // Most changes are of no interest to anybody.
          event ??= shared(version)
          if (watch.pending.length === 0) {
            touched.push(watch)
            watch.pending = event.alone
          } else if (watch.pending.length === 1) watch.pending = [...watch.pending, event]
          else watch.pending.push(event)
        }
        single.get(version.key)?.forEach(match)
        ranges.visit(version.key, match)
      }
      for (const watch of touched) {
        const { pending } = watch
        watch.pending = NOTHING
        // A sink that was sent something may have ended a watch or its stream.
        if (watch.stream.watches.get(watch.id) !== watch) continue
        const stoppedAt = sendVersions(watch, pending)
        if (stoppedAt !== null) fallBehind(watch, stoppedAt)
      }
      for (const stream of asking) answerProgress(stream)
    },

    restored: () => {
      const next = published + 1
      if (store.revision < next) return
      published = store.revision
      for (const stream of streams) {
        for (const watch of stream.watches.values()) {
          if (watch.isSynced && watch.next <= published) fallBehind(watch, Math.max(watch.next, next))
        }
      }
    },

    step: (budget) => {
      let left = budget
      // Each has one turn at most, so that the loop ends however many wait for slow readers.
      for (const watch of [...unsynced]) {
        if (left <= 0) return true
        if (!unsynced.has(watch) || !canTake(watch.stream)) continue
        left -= catchUp(watch)
        if (unsynced.delete(watch)) unsynced.add(watch)
      }
      for (const watch of unsynced) if (canTake(watch.stream)) return true
      return false
    },

    notifyProgress: () => {
      for (const stream of streams) {
        for (const watch of stream.watches.values()) {
          const isDue = watch.isNotifying && watch.isSynced && !watch.wasSent && watch.next <= published + 1
          watch.wasSent = false
          if (isDue && canTake(stream)) deliver(stream, responseTo(watch.id, published, {}), 64)
        }
      }
    },

    get watchCount() {
      return watchCount
    },
    get unsyncedCount() {
      return unsynced.size
    },
    get behind() {
      let next = published + 1
      for (const watch of unsynced) next = Math.min(next, watch.next)
      return published + 1 - next
    },
    get waitingBytes() {
      let bytes = 0
      for (const stream of streams) bytes += stream.waitingBytes
      return bytes
    },
    get published() {
      return published
    },
  }
}

const UNREAD: RpcError = { code: 8, text: 'delos: the answers of this watch stream are not read' }

const canTake = (stream: Stream): boolean => stream.isReady && stream.waiting.length === 0

/** Never changed. */
const NOTHING: SharedEvent[] = []

function isWanted({ span: { from, to }, filters }: Watch, version: Version): boolean {
  return version.key >= from && (to === null || version.key < to) && !isFilteredOut(filters, version)
}

const responseTo = (watchId: number, revision: number, more: Partial<WatchResponse>): WatchResponse => ({
  header: header(revision),
  watch_id: watchId,
  created: false,
  canceled: false,
  compact_revision: 0,
  cancel_reason: '',
  fragment: false,
  events: [],
  ...more,
})

/** What is made ten thousand times a second is written out. */
const eventsTo = (watchId: number, header: ResponseHeader, events: Event[], fragment: boolean): WatchResponse => ({
  header,
  watch_id: watchId,
  created: false,
  canceled: false,
  compact_revision: 0,
  cancel_reason: '',
  fragment,
  events,
})

/** gRPC's names of the codes a watch can be refused with. */
const CODE_NAMES: Record<number, string> = { 3: 'InvalidArgument', 7: 'PermissionDenied', 16: 'Unauthenticated' }
