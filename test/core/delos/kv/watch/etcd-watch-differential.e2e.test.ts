import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../../../src/core/kernel/prng.ts'
import { NOBODY, type KvCommand } from '../../../../../src/core/delos/kv/command.ts'
import { createStore } from '../../../../../src/core/delos/kv/store.ts'
import { createWatchHub } from '../../../../../src/core/delos/kv/watch/hub.ts'
import { asGateway, etcdMissing, show, startEtcd, type Oracle } from '../etcd-oracle.ts'
import { requestSource } from '../random-requests.ts'
import { compactCommand, submit } from '../requests.ts'
import { createOf, Reader } from './watch-harness.ts'

/** The same watches on a real etcd and on the hub, begun in the past, the present and the future; the same events in the same order. */

const SEED = Number(process.env['KV_DIFFERENTIAL_SEED'] ?? 3)

let oracle: Oracle | undefined

beforeAll(async () => {
  if (etcdMissing === null) oracle = await startEtcd()
})
afterAll(async () => {
  await oracle?.stop()
})

interface Outcome {
  created: unknown
  events: unknown[]
  /** of the cancellation, if there was one */
  end: unknown
}

function outcomeOf(responses: readonly Record<string, unknown>[]): Outcome {
  const events = responses.flatMap((response) => (response['events'] as unknown[] | undefined) ?? [])
  const [created, ...others] = responses
  const end = others.find((response) => response['canceled'] === true)
  return { created, events, end: end === undefined ? null : [end['compact_revision'], end['cancel_reason']] }
}

test.skipIf(etcdMissing !== null)(
  `watches see what they see on etcd${etcdMissing === null ? '' : ` (${etcdMissing})`}`,
  { timeout: 240_000 },
  async () => {
    const prng = createPrng(SEED)
    const store = createStore({ leaseTtlMinS: 2 })
    const hub = createWatchHub(store, { sliceMax: 7 })
    const source = requestSource(prng, () => store)
    const write = async (): Promise<void> => {
      const kind = prng.below(10)
      const command: KvCommand =
        kind < 5
          ? { kind: 'put', request: { ...source.put(), lease: 0n }, who: NOBODY }
          : kind < 7
            ? { kind: 'deleteRange', request: source.deleteRange(), who: NOBODY }
            : { kind: 'txn', request: source.txn(), who: NOBODY }
      const path = { put: 'kv/put', deleteRange: 'kv/deleterange', txn: 'kv/txn' }[command.kind as 'put']
      submit(store, command)
      await oracle?.ask(path, 'request' in command ? command.request : {})
      hub.publish()
    }

    for (let i = 0; i < 200; i += 1) await write()
    const compacted = store.revision >> 1
    submit(store, compactCommand(compacted))
    await oracle?.ask('kv/compaction', { revision: compacted })
    while (store.compactStep(10));

    const watches = Array.from({ length: 60 }, () => {
      const range = source.range()
      const start = Math.max(1, compacted - 12 + prng.below(store.revision - compacted + 30))
      const request = createOf(range.key, {
        range_end: range.range_end,
        // At the compacted revision itself 3.4 loses deletions (etcd-io/etcd#18089); the hub does not.
        start_revision: prng.below(3) === 0 || start === compacted ? 0 : start,
        filters: prng.below(4) === 0 ? [prng.below(2)] : [],
        prev_kv: prng.below(2) === 0,
        watch_id: prng.below(4) === 0 ? 5 : 0,
      })
      const reader = new Reader()
      hub.open(reader, () => null).create(request)
      return { request, reader, theirs: oracle?.watch(request) }
    })
    await until(() => watches.every(({ theirs }) => (theirs?.responses.length ?? 0) > 0))
    for (let i = 0; i < 120; i += 1) {
      await write()
      hub.step(prng.below(20))
    }
    while (hub.step(100));

    let events = 0
    for (const { request, reader, theirs } of watches) {
      const ours = outcomeOf(reader.responses.map((response) => gatewayOf(response)))
      const responses = theirs?.responses ?? []
      await until(
        () => outcomeOf(responses).events.length >= ours.events.length && (ours.end === null || outcomeOf(responses).end !== null),
      )
      expect(ours, `seed ${SEED}: watch ${show(request)}, compacted at ${compacted}`).toEqual(outcomeOf(responses))
      events += ours.events.length
      theirs?.close()
    }
    expect(events).toBeGreaterThan(500)
    expect(watches.some(({ reader }) => reader.responses.some((response) => response.compact_revision > 0))).toBe(true)
  },
)

/** As `asGateway`, with the type of events by name as etcd's gateway writes it. */
function gatewayOf(response: { events: readonly { type: number }[] }): Record<string, unknown> {
  const written = asGateway(response) as { events?: Record<string, unknown>[] }
  for (const event of written.events ?? []) if (event['type'] === '1') event['type'] = 'DELETE'
  return written
}

/** Waits up to 5 s; what is missing then shows in the comparison. */
async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isDone(); i += 1) await new Promise((resolve) => setTimeout(resolve, 10))
}
