import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPrng } from '../../../../../src/core/kernel/prng.ts'
import type { Version } from '../../../../../src/core/delos/kv/version.ts'
import { createStore } from '../../../../../src/core/delos/kv/store.ts'
import { createWatchHub, type WatchStream } from '../../../../../src/core/delos/kv/watch/hub.ts'
import type { WatchCreateRequest, WatchResponse } from '../../../../../src/core/delos/wire/messages.ts'
import { requestSource } from '../random-requests.ts'
import { compactCommand, submit } from '../requests.ts'
import { NOBODY } from '../../../../../src/core/delos/kv/command.ts'
import { createOf, Reader } from './watch-harness.ts'

/**
 * A random run: writes, compactions, watches that begin anywhere, end, and are read slowly, and connections that are lost and resumed.
 * What each watch saw is compared with the history of the store.
 */

interface Seen {
  readonly request: WatchCreateRequest
  /** the first revision it is to see */
  start: number
  id: number
  /** revision and sub of each event, in the order they came */
  readonly places: string[]
  readonly responses: WatchResponse[]
  end: 'open' | 'cancelled' | 'compacted'
  compactRevision: number
}

interface Client {
  reader: Reader
  stream: WatchStream
  watches: Map<number, Seen>
  /** in the order of their creation, until their ids are known */
  created: Seen[]
  read: number
}

interface Bookmark {
  revision: number
  /** what the watches it speaks for had seen when it came */
  watches: { seen: Seen; count: number }[]
}

function play(seed: number, isCompacting: boolean): { history: Version[]; all: Seen[]; bookmarks: Bookmark[]; published: number } {
  const prng = createPrng(seed)
  const store = createStore()
  const hub = createWatchHub(store, { bufferBytesMax: 600, responseBytesMax: 300, fragmentBytesMax: 200, sliceMax: 5 })
  const source = requestSource(prng, () => store)
  const history: Version[] = []
  const all: Seen[] = []
  const bookmarks: Bookmark[] = []
  const chance = (percent: number): boolean => prng.below(100) < percent

  const open = (): Client => {
    const reader = new Reader()
    return { reader, stream: hub.open(reader, () => null), watches: new Map(), created: [], read: 0 }
  }
  const clients = [open(), open()]

  const take = (client: Client): void => {
    for (; client.read < client.reader.responses.length; client.read += 1) {
      const response = client.reader.responses[client.read] as WatchResponse
      if (response.created) {
        const seen = client.created.shift()
        if (seen === undefined) throw new Error('created without having been asked for')
        if (response.canceled) {
          seen.end = 'cancelled'
          continue
        }
        seen.id = response.watch_id
        if (seen.start === 0) seen.start = response.header.revision + 1
        client.watches.set(seen.id, seen)
        continue
      }
      const seen = client.watches.get(response.watch_id)
      if (response.canceled) {
        if (seen === undefined) throw new Error('an end of nothing')
        seen.end = response.compact_revision > 0 ? 'compacted' : 'cancelled'
        seen.compactRevision = response.compact_revision
        client.watches.delete(seen.id)
      } else if (response.events.length === 0) {
        const watches = response.watch_id === -1 ? [...client.watches.values()] : seen === undefined ? [] : [seen]
        bookmarks.push({ revision: response.header.revision, watches: watches.map((one) => ({ seen: one, count: one.places.length })) })
      } else {
        if (seen === undefined) throw new Error('events for nobody')
        seen.responses.push(response)
        for (const { kv } of response.events) seen.places.push(placeOf(kv as Version))
      }
    }
  }
  const watch = (client: Client, request: WatchCreateRequest): void => {
    const seen: Seen = { request, start: request.start_revision, id: -1, places: [], responses: [], end: 'open', compactRevision: 0 }
    all.push(seen)
    client.created.push(seen)
    client.stream.create(request)
  }

  for (let step = 0; step < 150; step += 1) {
    const client = clients[prng.below(clients.length)] as Client
    const kind = prng.below(100)
    if (kind < 50) {
      for (let i = prng.below(4); i >= 0; i -= 1) {
        if (chance(60)) submit(store, { kind: 'put', request: { ...source.put(), lease: 0n }, who: NOBODY })
        else if (chance(50)) submit(store, { kind: 'deleteRange', request: source.deleteRange(), who: NOBODY })
        else submit(store, { kind: 'txn', request: source.txn(), who: NOBODY })
      }
      history.push(...(store.takeChanges()?.versions ?? []))
      if (chance(90)) hub.publish()
    } else if (kind < 65) {
      const request = source.range()
      watch(
        client,
        createOf(request.key, {
          range_end: request.range_end,
          start_revision: chance(50) ? 0 : Math.max(1, store.revision + 3 - prng.below(25)),
          filters: chance(20) ? [prng.below(2)] : [],
          prev_kv: chance(50),
          fragment: chance(30),
          progress_notify: chance(40),
          watch_id: chance(10) ? 1 + prng.below(3) : 0,
        }),
      )
    } else if (kind < 68) client.stream.cancel(prng.below(8))
    else if (kind < 75) client.reader.isSlow = true
    else if (kind < 83) client.reader.becomeReady()
    else if (kind < 87) client.stream.requestProgress()
    else if (kind < 89) hub.notifyProgress()
    else if (kind < 91) {
      // The connection is lost, with what was not read yet, and all its watches are resumed behind the last they saw.
      take(client)
      client.stream.close()
      const next = open()
      clients[clients.indexOf(client)] = next
      for (const seen of client.watches.values()) {
        seen.end = 'cancelled'
        const lastSeen = Number(seen.places.at(-1)?.split('.')[0] ?? seen.start - 1)
        const isCut = seen.responses.at(-1)?.fragment === true
        watch(next, { ...seen.request, watch_id: 0, start_revision: Math.max(seen.start, isCut ? lastSeen : lastSeen + 1) })
      }
    } else if (kind < 93 && isCompacting) {
      hub.publish()
      submit(store, compactCommand(Math.max(1, store.revision - prng.below(6))))
      store.compactStep(prng.below(20))
    } else hub.step(1 + prng.below(20))
    clients.forEach(take)
  }

  for (const client of clients) client.reader.becomeReady()
  hub.publish()
  while (hub.step(50)) for (const client of clients) client.reader.becomeReady()
  for (const client of clients) client.stream.requestProgress()
  clients.forEach(take)
  expect(hub.unsyncedCount, 'every open watch caught up').toBe(0)
  return { history, all, bookmarks, published: hub.published }
}

const placeOf = (version: Version): string => `${version.mod_revision}.${version.sub}`

function wanted(history: readonly Version[], { request, start }: Seen): Version[] {
  const key = request.key === '' ? '\0' : request.key
  const end = request.range_end
  return history.filter(
    (version) =>
      version.mod_revision >= start &&
      (end === '' ? version.key === key : version.key >= key && (end === '\0' || version.key < end)) &&
      !request.filters.includes(version.isDeleted ? 1 : 0),
  )
}

const runs = (isCompacting: boolean, judge: (run: ReturnType<typeof play>) => void): void =>
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => judge(play(seed, isCompacting))),
    { numRuns: 70 },
  )

describe('a watch', () => {
  test('is reliable, ordered and unique: it sees every revision from its start on, each once, in order', () => {
    let events = 0
    runs(true, ({ history, all }) => {
      for (const seen of all.filter((one) => one.id >= 0)) {
        const expected = wanted(history, seen).map(placeOf)
        events += seen.places.length
        if (seen.end === 'open') expect(seen.places).toEqual(expected)
        else expect(seen.places).toEqual(expected.slice(0, seen.places.length))
      }
    })
    expect(events).toBeGreaterThan(1000)
  })

  test('is atomic: the events of a revision are in one response, or in fragments that follow one another', () => {
    let fragments = 0
    runs(true, ({ all }) => {
      for (const { responses } of all) {
        responses.forEach((response, i) => {
          const last = response.events.at(-1)?.kv.mod_revision
          const next = responses[i + 1]?.events[0]?.kv.mod_revision
          if (response.fragment) fragments += 1
          else expect(next).not.toBe(last)
        })
      }
    })
    expect(fragments).toBeGreaterThan(50)
  })

  test('is bookmarkable: progress at a revision comes after every event up to it', () => {
    let spoken = 0
    runs(true, ({ history, bookmarks }) => {
      for (const { revision, watches } of bookmarks) {
        for (const { seen, count } of watches) {
          spoken += 1
          const due = wanted(history, seen).filter((version) => version.mod_revision <= revision)
          expect(count).toBe(due.length)
          // And a watch that begins in the future is not spoken for before it (etcd-io/etcd#20221).
          expect(seen.start).toBeLessThanOrEqual(revision + 1)
        }
      }
    })
    expect(spoken).toBeGreaterThan(500)
  })

  test('that compaction ends had not seen something that is gone, and says from where to go on', () => {
    let ended = 0
    runs(true, ({ all }) => {
      for (const seen of all.filter((one) => one.end === 'compacted')) {
        ended += 1
        expect(seen.compactRevision).toBeGreaterThan(Number(seen.places.at(-1)?.split('.')[0] ?? 0))
        expect(seen.start).toBeLessThan(seen.compactRevision)
      }
    })
    expect(ended).toBeGreaterThan(20)
  })

  test('with prev_kv tells what the key was just before the revision', () => {
    let told = 0
    runs(false, ({ history, all }) => {
      const before = new Map<string, Version | null>()
      const now = new Map<string, Version>()
      for (const version of history) {
        const last = now.get(version.key)
        const known = last === undefined || last.isDeleted ? null : last
        const isAgain = last !== undefined && last.mod_revision === version.mod_revision
        before.set(placeOf(version), isAgain ? (before.get(placeOf(last)) ?? null) : known)
        now.set(version.key, version)
      }
      for (const { request, responses } of all) {
        for (const event of responses.flatMap((response) => response.events)) {
          if (!request.prev_kv) expect(event.prev_kv).toBeNull()
          else if (event.prev_kv !== null) {
            told += 1
            expect(event.prev_kv).toBe(before.get(placeOf(event.kv as Version)))
          }
        }
      }
    })
    expect(told).toBeGreaterThan(200)
  })
})
