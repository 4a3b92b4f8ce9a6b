import type { Prng } from '../../../src/core/kernel/prng.ts'
import type { Version } from '../../../src/core/delos/kv/version.ts'
import type { WatchStream } from '../../../src/core/delos/kv/watch/hub.ts'
import { EVENT_TYPE, WATCH_FILTER, type Event, type WatchResponse } from '../../../src/core/delos/wire/messages.ts'
import { Violation } from '../../violation.ts'
import type { World } from '../world.ts'
import type { KvWorld } from './kv-world.ts'
import type { KvNode } from './node.ts'

/** One thing that is watched, over all connections. */
interface Wanted {
  id: number
  key: string
  rangeEnd: string
  filters: number[]
  isWithPrevious: boolean
  isFragmented: boolean
  /** everything below was seen, and this has to come next; 0: from the first answer on */
  next: number
  isCreated: boolean
  /** auth was on where it was created */
  isJudged: boolean
  /** events of a response that goes on in the next one */
  parts: Event[]
}

interface Connection {
  node: KvNode
  epoch: number
  stream: WatchStream | null
  isOpen: boolean
  /** arrival of the last message: a socket keeps the order */
  lastAt: number
}

const RANGES: readonly (readonly [key: string, rangeEnd: string])[] = [
  ['k0', 'k2'],
  ['k', 'l'],
  ['l', 'm'],
  ['k1', ''],
  ['\0', '\0'],
]

/** Watches through one server after the other and goes on where it was; what it is shown is compared with what happened. */
export class Watcher {
  readonly #world: World
  readonly #kv: KvWorld
  readonly #prng: Prng
  readonly #user: 'root' | 'reader'
  readonly #wanted: Wanted[]
  #connection: Connection | null = null
  #isStarted = false

  constructor(world: World, kv: KvWorld, prng: Prng, user: 'root' | 'reader') {
    this.#world = world
    this.#kv = kv
    this.#prng = prng
    this.#user = user
    this.#wanted = Array.from({ length: 1 + prng.below(3) }, (_, i) => {
      const [key, rangeEnd] = RANGES[prng.below(RANGES.length)] as readonly [string, string]
      return {
        id: i + 1,
        key,
        rangeEnd,
        filters: prng.next() < 0.2 ? [prng.next() < 0.5 ? WATCH_FILTER.noPut : WATCH_FILTER.noDelete] : [],
        isWithPrevious: prng.next() < 0.3,
        isFragmented: prng.next() < 0.4,
        next: prng.next() < 0.5 ? 1 : 0,
        isCreated: false,
        isJudged: false,
        parts: [],
      }
    })
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#connect()
    this.#live()
  }

  /** Everything that happened was shown. */
  isDone(): boolean {
    return this.#wanted.every(({ next, isCreated }) => !isCreated || next > this.#kv.checks.revision)
  }

  #live(): void {
    this.#world.queue.after(5 + this.#prng.next() * 30, () => {
      const connection = this.#connection
      if (connection === null) this.#connect()
      else if (this.#prng.next() < (this.#world.isFaulty ? 0.1 : 0)) this.#break(connection)
      else this.#atServer(connection, () => connection.stream?.requestProgress())
      this.#live()
    })
  }

  #connect(): void {
    const node = this.#kv.node(1 + this.#prng.below(this.#world.servers.length))
    const connection: Connection = { node, epoch: node.server.epoch, stream: null, isOpen: true, lastAt: 0 }
    this.#connection = connection
    for (const wanted of this.#wanted) {
      wanted.isCreated = false
      wanted.parts = []
    }
    if (!node.server.isUp) return this.#break(connection)
    this.#atServer(connection, () => {
      if (node.refusal() !== null) return this.#break(connection)
      let onReady = (): void => undefined
      connection.stream = node.watch(this.#user, {
        send: (response) => {
          this.#send(connection, response)
          if (this.#prng.next() > 0.05) return true
          // The reader is slow for a while.
          this.#atServer(connection, () => onReady(), 2 + this.#prng.next() * 60)
          return false
        },
        onReady: (listener) => {
          onReady = listener
        },
        end: () => this.#break(connection),
      })
      for (const { id, key, rangeEnd, filters, isWithPrevious, isFragmented, next } of this.#wanted) {
        const start = next
        connection.stream.create({
          key,
          range_end: rangeEnd,
          start_revision: start,
          progress_notify: false,
          filters,
          prev_kv: isWithPrevious,
          watch_id: id,
          fragment: isFragmented,
        })
        // Asked between two creations, a bookmark speaks for the first ones alone.
        if (this.#prng.next() < 0.2) connection.stream?.requestProgress()
      }
      const isJudged = node.store.isAuthEnabled && this.#user === 'reader'
      for (const wanted of this.#wanted) wanted.isJudged = isJudged
    })
  }

  #atServer(connection: Connection, run: () => void, ms = 0.1 + this.#prng.next() * 0.2): void {
    this.#world.queue.after(ms, () => {
      const { server } = connection.node
      if (!connection.isOpen) return
      if (server.epoch !== connection.epoch || !server.isUp) return this.#break(connection)
      // A server that was paused may come to it when the client has long gone elsewhere.
      server.after(0, () => {
        if (connection.isOpen) run()
      })
    })
  }

  #break(connection: Connection): void {
    if (!connection.isOpen) return
    connection.isOpen = false
    if (this.#connection === connection) this.#connection = null
    const { stream, node, epoch } = connection
    this.#world.queue.after(this.#prng.next() * 5, () => {
      if (node.server.epoch === epoch && node.server.isUp) stream?.close()
    })
  }

  #send(connection: Connection, response: WatchResponse): void {
    if (connection.node.isDamaged) return
    const { queue } = this.#world
    const { compactRevision } = connection.node.store
    connection.lastAt = Math.max(connection.lastAt, queue.now + 0.05 + this.#prng.next() * 0.3)
    queue.at(connection.lastAt, () => {
      if (connection.isOpen) this.#take(connection, response, compactRevision)
    })
  }

  #take(connection: Connection, response: WatchResponse, compactRevision: number): void {
    const { checks } = this.#kv
    if (response.watch_id === -1) {
      // Refused for want of rights; the others of the stream go on.
      if (response.canceled) return
      checks.progresses += 1
      // A bookmark: of every watch that this stream has, all up to it was sent.
      for (const wanted of this.#wanted) if (wanted.isCreated) this.#seen(wanted, [], response.header.revision, 'bookmark')
      return
    }
    const wanted = this.#wanted.find(({ id }) => id === response.watch_id)
    if (wanted === undefined) throw new Violation(`watch: ${response.watch_id} was never asked for`)
    if (response.created) {
      wanted.isCreated = true
      if (wanted.next === 0) wanted.next = response.header.revision + 1
    } else if (response.canceled) {
      if (response.compact_revision <= wanted.next)
        throw new Violation(`watch: of ${wanted.next} ended by compaction at ${response.compact_revision}`)
      // What was compacted cannot be had any more.
      wanted.next = response.compact_revision
      this.#break(connection)
    } else {
      if (!wanted.isCreated) throw new Violation('watch: events before it was created')
      if (wanted.isJudged) this.#permitted(response.events)
      wanted.parts.push(...response.events)
      if (response.fragment) {
        if (!wanted.isFragmented) throw new Violation('watch: fragments for one who did not ask for them')
        return
      }
      const events = wanted.parts
      wanted.parts = []
      checks.events += events.length
      this.#seen(wanted, events, events.at(-1)?.kv.mod_revision ?? 0, 'events')
      if (wanted.isWithPrevious) for (const event of events) this.#previous(event, compactRevision)
    }
  }

  #permitted(events: readonly Event[]): void {
    for (const { kv } of events)
      if (kv.key < 'k0' || kv.key >= 'k2') throw new Violation(`permission: a reader of k0 and k1 was shown ${kv.key}`)
  }

  /** Up to a revision these, and no others, were to be shown. */
  #seen(wanted: Wanted, events: readonly Event[], to: number, what: string): void {
    const expected = this.#kv.checks.between(wanted.next, to).filter((version) => isWanted(wanted, version))
    const isSame = expected.length === events.length && expected.every((version, i) => isOf(events[i] as Event, version))
    if (!isSame) {
      const say = (versions: readonly { mod_revision: number; key: string }[]): string =>
        versions.map(({ mod_revision, key }) => `${key}@${mod_revision}`).join(' ')
      throw new Violation(`watch: ${what} of ${wanted.next}..${to} showed [${say(events.map(({ kv }) => kv))}] of [${say(expected)}]`)
    }
    wanted.next = Math.max(wanted.next, to + 1)
  }

  #previous({ kv, prev_kv: before }: Event, compactRevision: number): void {
    const expected = this.#kv.checks.at(kv.key, kv.mod_revision - 1)
    if (before === null ? expected === null || kv.mod_revision - 1 < compactRevision : before.mod_revision === expected?.mod_revision)
      return
    throw new Violation(
      `watch: before ${kv.key}@${kv.mod_revision} was ${expected?.mod_revision ?? 'nothing'}, shown ${before?.mod_revision ?? 'nothing'}`,
    )
  }
}

const isOf = ({ type, kv }: Event, version: Version): boolean =>
  kv.key === version.key &&
  kv.mod_revision === version.mod_revision &&
  kv.version === version.version &&
  (type === EVENT_TYPE.delete) === version.isDeleted

function isWanted({ key, rangeEnd, filters }: Wanted, version: Version): boolean {
  const isInside = rangeEnd === '' ? version.key === key : version.key >= key && (rangeEnd === '\0' || version.key < rangeEnd)
  return isInside && !filters.includes(version.isDeleted ? WATCH_FILTER.noDelete : WATCH_FILTER.noPut)
}
