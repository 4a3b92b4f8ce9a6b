import { describe, expect, test } from 'vitest'
import { createStore } from '../../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../../src/core/delos/kv/store-contract.ts'
import { createWatchHub, type WatchHub, type WatchHubOptions, type WatchStream } from '../../../../../src/core/delos/kv/watch/hub.ts'
import { compactCommand, deleteCommand, putCommand, putOp, run, txnCommand, txnOf } from '../requests.ts'
import { createOf, Reader, tell } from './watch-harness.ts'

interface Stage {
  store: KvStore
  hub: WatchHub
  reader: Reader
  stream: WatchStream
  put(key: string, value?: string): void
}

function stage(options: Partial<WatchHubOptions> = {}): Stage {
  const store = createStore()
  const hub = createWatchHub(store, options)
  const reader = new Reader()
  const stream = hub.open(reader, () => null)
  const put = (key: string, value = ''): void => {
    run(store, putCommand(key, value))
    hub.publish()
  }
  return { store, hub, reader, stream, put }
}

const catchUp = (hub: WatchHub): void => {
  while (hub.step(10));
}

describe('a watch', () => {
  test('begins after the present without a start, and tells its id and the revision it begins after', () => {
    const { reader, stream, put } = stage()
    put('a')
    stream.create(createOf('a'))
    expect(reader.responses[0]).toMatchObject({ created: true, watch_id: 0, header: { revision: 2 } })
    put('a')
    put('b')
    expect(reader.story()).toEqual(['PUT a@3'])
  })

  test('from an old revision catches up and then goes on without a gap or a double', () => {
    const { hub, reader, stream, put } = stage({ sliceMax: 3 })
    for (let i = 0; i < 20; i += 1) put(i % 2 === 0 ? 'a' : 'b')
    stream.create(createOf('a', { range_end: 'c', start_revision: 5 }))
    hub.step(4)
    put('b')
    catchUp(hub)
    put('a')
    expect(reader.events(0).map((event) => event.kv.mod_revision)).toEqual(Array.from({ length: 19 }, (_, i) => i + 5))
  })

  test('shares the list of one event with all who are told of it alone, and changes none when another follows in the same batch', () => {
    const { store, hub, reader, stream, put } = stage()
    stream.create(createOf('a'))
    stream.create(createOf('a'))
    stream.create(createOf('', { range_end: '\0' }))
    put('a')
    const lists = reader.responses.filter((response) => !response.created).map(({ events }) => events)
    expect(lists).toHaveLength(3)
    for (const list of lists) expect(list).toBe(lists[0])
    for (const key of ['a', 'b', 'b']) run(store, putCommand(key, ''))
    hub.publish()
    expect(reader.story(0)).toEqual(['PUT a@2', 'PUT a@3'])
    expect(reader.story(1)).toEqual(['PUT a@2', 'PUT a@3'])
    expect(reader.story(2)).toEqual(['PUT a@2', 'PUT a@3', 'PUT b@4', 'PUT b@5'])
  })

  test('on a future revision gets neither older events nor progress first (etcd-io/etcd#20221)', () => {
    const { hub, reader, stream, put } = stage()
    stream.create(createOf('a', { start_revision: 5, progress_notify: true }))
    put('a')
    hub.notifyProgress()
    stream.requestProgress()
    put('a')
    expect(reader.responses.slice(1)).toEqual([])
    put('a')
    expect(reader.responses.slice(1)).toMatchObject([{ watch_id: -1, header: { revision: 4 }, events: [] }])
    put('a')
    expect(reader.story()).toEqual(['PUT a@5'])
  })

  test('with a start that is compacted ends with the compacted revision', () => {
    const { store, hub, reader, stream, put } = stage()
    for (let i = 0; i < 5; i += 1) put('a')
    run(store, compactCommand(4))
    stream.create(createOf('a', { start_revision: 3 }))
    stream.create(createOf('a', { start_revision: 4 }))
    catchUp(hub)
    expect(reader.responses.filter((response) => response.canceled)).toMatchObject([
      { watch_id: 0, compact_revision: 4, cancel_reason: '' },
    ])
    expect(reader.story(1)).toEqual(['PUT a@4', 'PUT a@5', 'PUT a@6'])
  })

  test('opened at the compacted revision sees a deletion at it (etcd-io/etcd#18089, #19179)', () => {
    for (const isSingle of [true, false]) {
      const { store, hub, reader, stream, put } = stage()
      put('a')
      run(store, deleteCommand('a'))
      hub.publish()
      put('b')
      run(store, compactCommand(3))
      while (store.compactStep(1));
      stream.create(createOf('a', { start_revision: 3, range_end: isSingle ? '' : 'c' }))
      catchUp(hub)
      expect(reader.story()[0]).toBe('DELETE a@3')
      // And also after the store was loaded from its rows.
      const again = createStore({}, store.dump())
      const later = createWatchHub(again)
      const late = new Reader()
      later.open(late, () => null).create(createOf('a', { start_revision: 3 }))
      catchUp(later)
      expect(late.story()).toEqual(['DELETE a@3'])
    }
  })

  test('filters puts or deletions, and tells the pair before on request', () => {
    const { store, hub, reader, stream, put } = stage()
    stream.create(createOf('a', { filters: [0] }))
    stream.create(createOf('a', { filters: [1], prev_kv: true }))
    put('a')
    put('a')
    run(store, deleteCommand('a'))
    hub.publish()
    expect(reader.story(0)).toEqual(['DELETE a@4'])
    expect(reader.events(1).map((event) => [tell(event), event.prev_kv?.mod_revision])).toEqual([
      ['PUT a@2', undefined],
      ['PUT a@3', 2],
    ])
  })

  test('has the id it chose; a taken one, and an empty range, are refused without ending the stream', () => {
    const { reader, stream, put } = stage()
    stream.create(createOf('a', { watch_id: 7 }))
    stream.create(createOf('a', { watch_id: 7 }))
    stream.create(createOf('b', { range_end: 'a' }))
    stream.create(createOf('a'))
    put('a')
    expect(reader.responses.slice(0, 4)).toMatchObject([
      { created: true, canceled: false, watch_id: 7 },
      { created: true, canceled: true, watch_id: -1, cancel_reason: 'mvcc: duplicate watch ID provided on the WatchStream' },
      { created: true, canceled: true, watch_id: -1, cancel_reason: 'mvcc: watcher range is empty' },
      { created: true, canceled: false, watch_id: 0 },
    ])
    expect(reader.story(7)).toEqual(['PUT a@2'])
  })

  test('of an empty key with no end sees every key', () => {
    const { reader, stream, put } = stage()
    stream.create(createOf('', { range_end: '\0' }))
    put('\xff')
    expect(reader.story()).toEqual(['PUT \xff@2'])
  })

  test('sees a txn in one response, or in fragments of at most 1.5 MiB when it asked for them', () => {
    const { store, hub, reader, stream } = stage()
    stream.create(createOf('k', { range_end: 'l' }))
    stream.create(createOf('k', { range_end: 'l', fragment: true }))
    run(store, txnCommand(txnOf(Array.from({ length: 5 }, (_, i) => putOp(`k${i}`, 'x'.repeat(700_000))))))
    hub.publish()
    const shapes = (id: number): [number, boolean][] =>
      reader.responses.filter((one) => one.watch_id === id && !one.created).map((one) => [one.events.length, one.fragment])
    expect(shapes(0)).toEqual([[5, false]])
    expect(shapes(1)).toEqual([
      [2, true],
      [2, true],
      [1, false],
    ])
  })

  test('cancelled is told so and sees nothing more; an unknown id is ignored', () => {
    const { hub, reader, stream, put } = stage()
    stream.create(createOf('a'))
    stream.cancel(5)
    stream.cancel(0)
    put('a')
    expect(reader.responses.slice(1)).toMatchObject([{ watch_id: 0, canceled: true, events: [] }])
    expect(hub.watchCount).toBe(0)
  })
})

describe('a slow reader', () => {
  test('has at most 4 MiB waiting, is left behind, and gets all of it later: none lost (etcd-io/etcd#17529)', () => {
    const { hub, reader, stream, put } = stage()
    stream.create(createOf('a'))
    reader.isSlow = true
    for (let i = 0; i < 100; i += 1) put('a', 'x'.repeat(100_000))
    expect(hub.unsyncedCount).toBe(1)
    expect(hub.step(1000), 'nothing can be done for it now').toBe(false)
    reader.becomeReady()
    catchUp(hub)
    expect(reader.events(0).map((event) => event.kv.mod_revision)).toEqual(Array.from({ length: 100 }, (_, i) => i + 2))
  })

  test('that asks on and on without reading is cut off', () => {
    const { hub, reader, stream } = stage({ bufferBytesMax: 1000, answersBytesMax: 10_000 })
    reader.isSlow = true
    for (let i = 0; i < 1000; i += 1) stream.create(createOf('a'))
    expect(reader.ended).toMatchObject({ code: 8 })
    expect(hub.watchCount).toBe(0)
  })

  test('holds up no other', () => {
    const { hub, reader, stream, put } = stage()
    stream.create(createOf('a'))
    const other = new Reader()
    hub.open(other, () => null).create(createOf('a'))
    reader.isSlow = true
    for (let i = 0; i < 5; i += 1) put('a')
    expect(reader.events(0)).toHaveLength(1)
    expect(other.events(0)).toHaveLength(5)
  })
})

describe('progress', () => {
  test('asked for is answered only when the watches of the stream have seen everything up to it (etcd-io/etcd#15220)', () => {
    const { hub, reader, stream, put } = stage({ sliceMax: 2 })
    for (let i = 0; i < 10; i += 1) put('a')
    stream.create(createOf('a', { start_revision: 1 }))
    stream.requestProgress()
    hub.step(1)
    expect(reader.responses.some((response) => response.watch_id === -1)).toBe(false)
    catchUp(hub)
    expect(reader.responses.at(-1)).toMatchObject({ watch_id: -1, header: { revision: 11 } })
    expect(reader.events(0)).toHaveLength(10)
  })

  test('comes by itself only to quiet watches that asked for it', () => {
    const { hub, reader, stream, put } = stage()
    stream.create(createOf('a', { progress_notify: true }))
    stream.create(createOf('b', { progress_notify: true }))
    stream.create(createOf('c'))
    put('a')
    hub.notifyProgress()
    expect(reader.responses.slice(4)).toMatchObject([{ watch_id: 1, header: { revision: 2 }, events: [] }])
  })
})

describe('one watch from far back', () => {
  test('takes turns with the others and with everything else (etcd-io/etcd#13156)', () => {
    const { hub, reader, stream, put } = stage({ sliceMax: 100 })
    for (let i = 0; i < 5000; i += 1) put('a')
    stream.create(createOf('a', { range_end: 'b', start_revision: 1 }))
    stream.create(createOf('a', { range_end: 'b', start_revision: 4990 }))
    expect(hub.step(150)).toBe(true)
    expect(reader.events(0).length).toBeLessThanOrEqual(100)
    expect(reader.events(1)).toHaveLength(12)
    put('a')
    expect(reader.story(1).at(-1)).toBe('PUT a@5002')
    catchUp(hub)
    expect(reader.events(0)).toHaveLength(5001)
  })

  test('says when there is work again', () => {
    let due = 0
    const { reader, stream, put } = stage({ onDue: () => (due += 1), bufferBytesMax: 100 })
    put('a')
    stream.create(createOf('a', { start_revision: 1 }))
    expect(due).toBe(1)
    reader.isSlow = true
    put('a')
    put('a')
    reader.becomeReady()
    expect(due).toBe(2)
  })
})

describe('a store that is replaced by a newer one', () => {
  test('goes on with each watch where it was: nothing lost, nothing twice', () => {
    const { store, hub, reader, stream, put } = stage()
    const newer = stage()
    for (const one of [put, newer.put]) for (let i = 0; i < 3; i += 1) one('a')
    stream.create(createOf('a', { start_revision: 2 }))
    catchUp(hub)
    for (let i = 0; i < 4; i += 1) newer.put('a')
    store.restore(newer.store.dump())
    hub.restored()
    catchUp(hub)
    put('a')
    expect(reader.events(0).map((event) => event.kv.mod_revision)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    expect(store.dump().versions).toHaveLength(8)
  })

  test('ends watches whose next revision it has compacted', () => {
    const { store, hub, reader, stream, put } = stage()
    const newer = stage()
    put('a')
    stream.create(createOf('a'))
    for (let i = 0; i < 9; i += 1) newer.put('a')
    run(newer.store, compactCommand(8))
    store.restore(newer.store.dump())
    hub.restored()
    catchUp(hub)
    expect(reader.responses.filter((response) => response.canceled)).toMatchObject([{ compact_revision: 8 }])
    expect(reader.events(0)).toEqual([])
  })
})
