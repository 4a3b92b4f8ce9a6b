import { describe, expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { NOBODY } from '../../../../src/core/delos/kv/command.ts'
import { isRpcError, KV_ERRORS } from '../../../../src/core/delos/kv/errors.ts'
import type { RangePage, RangePages, Reading } from '../../../../src/core/delos/kv/reading.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import { SORT_ORDER, SORT_TARGET, type KeyValue, type RangeRequest } from '../../../../src/core/delos/wire/messages.ts'
import { pairsLength } from '../../../../src/core/delos/wire/pair-bytes.ts'
import type { RpcError } from '../../../../src/core/delos/wire/service.ts'
import { compactCommand, deleteCommand, putCommand, rangeOf, submit } from './requests.ts'

const KEYS = 25_000
const keyOf = (i: number): string => `k/${String(i).padStart(6, '0')}`
const ALL = rangeOf('k/', { range_end: 'k0' })

function filled(keys = KEYS): KvStore {
  const store = createStore()
  for (let i = 0; i < keys; i += 1) submit(store, putCommand(keyOf((i * 7919) % keys), `v${i % 97}`))
  return store
}

/** Changes keys of every part of the range, and takes away what it can of what they were. */
function disturb(store: KvStore, seed: number): void {
  const prng = createPrng(seed)
  for (let i = 0; i < 200; i += 1) {
    const key = keyOf(prng.below(KEYS))
    submit(store, prng.below(3) === 0 ? deleteCommand(key) : putCommand(key, 'later'))
  }
  submit(store, putCommand(`k/new${seed}`, 'new'))
  submit(store, compactCommand(store.revision))
  for (let i = 0; i < 100; i += 1) store.compactStep(1000)
}

const opened = <Answer>(reading: Reading<Answer> | RpcError): Reading<Answer> => {
  if (isRpcError(reading)) throw new Error(reading.text)
  return reading
}

/** Reads to the end, with changes and compactions in between. */
function readDisturbed<Answer>(store: KvStore, reading: Reading<Answer>): { answer: Answer; steps: number } {
  for (let steps = 1; ; steps += 1) {
    const answer = reading.step()
    if (answer !== null) return { answer, steps }
    disturb(store, steps)
  }
}

describe('a long reading', () => {
  const requests: [string, Partial<RangeRequest>][] = [
    ['a whole prefix', {}],
    ['with a limit', { limit: 22_000 }],
    ['its keys only', { keys_only: true }],
    ['its count at an old revision', { count_only: true, revision: 20_000 }],
    ['an old revision', { revision: 20_000 }],
    ['an old revision with a limit', { revision: 20_000, limit: 5 }],
    ['filtered', { min_mod_revision: 1000, max_mod_revision: 24_000, limit: 15_000 }],
    ['sorted by key, the last first', { sort_order: SORT_ORDER.descend, limit: 12_000 }],
    ['sorted by value', { sort_order: SORT_ORDER.ascend, sort_target: SORT_TARGET.value }],
    ['sorted by mod_revision, keys only', { sort_order: SORT_ORDER.descend, sort_target: SORT_TARGET.mod, keys_only: true, limit: 20_000 }],
  ]

  test.each(requests)('shows the store as it stood when it began, whatever is written and compacted meanwhile: %s', (_name, more) => {
    const store = filled()
    const request = { ...ALL, ...more }
    const whole = store.range(request, NOBODY)
    const { answer, steps } = readDisturbed(store, opened(store.openRange(request, NOBODY)))
    expect(steps).toBeGreaterThan(2)
    expect(answer).toEqual(whole)
    // What it counted on the way is what counting all of it gives.
    expect(pairsLength(answer.kvs)).toBe(pairsLength([...answer.kvs]))
  })

  test('holds up what compaction takes away, until it is done or closed, and no longer', () => {
    const store = filled()
    const closed = opened(store.openRange(ALL, NOBODY))
    closed.step()
    submit(store, putCommand(keyOf(KEYS - 1), 'later'))
    submit(store, compactCommand(store.revision))
    const before = store.sizeBytes
    expect([store.compactStep(1000), store.sizeBytes]).toEqual([true, before])
    closed.close()
    while (store.compactStep(1000));
    expect(store.sizeBytes).toBeLessThan(before)
    readDisturbed(store, opened(store.openRange(ALL, NOBODY)))
    while (store.compactStep(1000));
    expect(store.dump().versions.length).toBe(store.keyCount)
  })

  test('of a checksum gives what it would have given at once, with many versions of one key too', () => {
    const store = createStore()
    for (let i = 0; i < 3000; i += 1) submit(store, putCommand(i % 3 === 0 ? 'often' : keyOf(i), 'x'.repeat(1000)))
    const at = store.revision
    const still = createStore({}, store.dump())
    const { answer, steps } = readDisturbed(store, opened(store.openHashKv(0)))
    expect(steps).toBeGreaterThan(3)
    const once = opened(still.openHashKv(at))
    let expected = once.step()
    while (expected === null) expected = once.step()
    expect(answer).toEqual(expected)
    const other = createStore({}, still.dump())
    submit(other, putCommand('often', 'y'))
    expect(readDisturbed(other, opened(other.openHashKv(0))).answer.hash).not.toBe(expected.hash)
  })
})

const pagesOf = (store: KvStore, request: RangeRequest): RangePages => {
  const pages = store.openPages(request, NOBODY)
  if (isRpcError(pages)) throw new Error(pages.text)
  return pages
}

function nextPage(pages: RangePages, bytesMax: number): RangePage {
  for (;;) {
    const page = pages.step(bytesMax)
    if (page === null) continue
    if (isRpcError(page)) throw new Error(page.text)
    return page
  }
}

describe('a range in parts', () => {
  test.each([
    ['whole', {}],
    ['limited', { limit: 12_345 }],
    ['of an old revision', { revision: 20_000 }],
    ['keys only', { keys_only: true }],
    ['one key', { key: keyOf(5), range_end: '' }],
    ['no key', { key: 'x', range_end: '' }],
    ['count only', { count_only: true }],
    ['in the order of its keys', { sort_order: SORT_ORDER.ascend }],
  ] as [string, Partial<RangeRequest>][])('is, put together, the range as it stood when it began: %s', (_name, more) => {
    const store = filled()
    const request = { ...ALL, ...more }
    const whole = store.range(request, NOBODY)
    const pages = pagesOf(store, request)
    const kvs: KeyValue[] = []
    for (let i = 0; ; i += 1) {
      const page = nextPage(pages, 10_000)
      kvs.push(...page.kvs)
      if (page.whole === null) {
        expect(pairsLength(page.kvs)).toBeGreaterThan(9900)
        expect(pairsLength(page.kvs)).toBeLessThan(10_100)
        for (let j = 0; j < 20; j += 1)
          submit(store, j % 2 === 0 ? deleteCommand(keyOf(i * 100 + j)) : putCommand(keyOf(24_000 - i - j), 'later'))
        continue
      }
      expect(page.whole.kvs).toEqual([])
      expect({ ...page.whole, kvs }).toEqual(whole)
      return
    }
  })

  test('holds up no compaction, and is refused when that has taken its revision', () => {
    const store = filled()
    const pages = pagesOf(store, ALL)
    nextPage(pages, 10_000)
    submit(store, putCommand(keyOf(KEYS - 1), 'later'))
    submit(store, compactCommand(store.revision))
    while (store.compactStep(1000));
    expect(store.dump().versions.length).toBe(store.keyCount)
    expect(pages.step(10_000)).toBe(KV_ERRORS.compacted)
  })

  test('is refused when the right to read is taken away, or the rows of another server came in the place of these', () => {
    const store = filled(2000)
    const auth = (change: object): unknown => submit(store, { kind: 'auth', change, who: NOBODY } as never)
    const pages = pagesOf(store, ALL)
    nextPage(pages, 1000)
    for (const name of ['root', 'ann']) auth({ kind: 'userAdd', name, passwordHash: 'h', noPassword: false })
    auth({ kind: 'roleAdd', role: 'root' })
    auth({ kind: 'userGrantRole', user: 'root', role: 'root' })
    expect(isRpcError(pages.step(1000) as object)).toBe(false)
    auth({ kind: 'enable' })
    expect(pages.step(1000)).toMatchObject({ text: expect.stringMatching(/user name is empty|permission denied/) })
    const others = pagesOf(filled(2000), ALL)
    expect(isRpcError(others.step(1000) as object)).toBe(false)
    const replaced = filled(2000)
    const left = pagesOf(replaced, ALL)
    replaced.restore(filled(10).dump())
    expect(left.step(1000)).toBe(KV_ERRORS.storeReplaced)
  })

  test('is none in another order, or of revisions within bounds: etcd has clients ask for it as a whole then', () => {
    const store = filled(10)
    const ask = (more: Partial<RangeRequest>): unknown => store.openPages({ ...ALL, ...more }, NOBODY)
    expect(ask({ sort_order: SORT_ORDER.descend })).toBe(KV_ERRORS.streamSorted)
    expect(ask({ sort_order: SORT_ORDER.ascend, sort_target: SORT_TARGET.mod })).toBe(KV_ERRORS.streamSorted)
    expect(isRpcError(ask({ sort_target: SORT_TARGET.mod }) as object)).toBe(false)
    expect(ask({ min_mod_revision: 3 })).toBe(KV_ERRORS.streamFiltered)
    expect(ask({ revision: 1000 })).toBe(KV_ERRORS.futureRevision)
    expect(ask({ key: '' })).toBe(KV_ERRORS.emptyKey)
  })
})
