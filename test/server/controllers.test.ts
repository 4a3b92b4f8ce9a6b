import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Wiring } from '../../src/server/host.ts'
import { startControllers } from '../../src/server/controllers.ts'
import { createTracer, traceOf } from '../../src/server/tracer.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { letterPosted, letterWritten, openToy, toySystem } from '../support/toy.ts'
import { eventually } from '../support/eventually.ts'

let toy: Awaited<ReturnType<typeof openToy>>
beforeEach(async () => {
  toy = await openToy()
})
afterEach(() => toy.end())

const log = createLogger(null)
const write = (to: string) =>
  toy.control.submit({ actor: 'user:test' }, () => ({ entries: [letterWritten.of({ to })], value: () => undefined }))
const posted = (): number[] => toy.control.db.all<{ posted: number }>('SELECT posted FROM toy_letter ORDER BY id').map((row) => row.posted)
const post = (adapter: (id: number) => Promise<void>): Wiring => ({
  effects: {
    'toy.post': async (effect) => {
      const { id } = effect.body as { id: number }
      await adapter(id)
      return [letterPosted.of({ id })]
    },
  },
})

test('an effect the state asks for is carried out once, and its outcome is an entry', async () => {
  const seen: number[] = []
  const loop = startControllers([toySystem], [post(async (id) => void seen.push(id))], toy.control, log)
  await Promise.all(['a', 'b', 'c'].map(write))
  await eventually('three posted letters', 20_000, () => posted().length === 3 && posted().every((n) => n === 1))
  await loop.stop()
  expect(seen.toSorted()).toEqual([1, 2, 3])
})

test('one key never runs twice at once, however often the state changes meanwhile', async () => {
  let running = 0
  let most = 0
  const slow = post(async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setTimeout(resolve, 100))
    running -= 1
  })
  const loop = startControllers([toySystem], [slow], toy.control, log)
  await write('a')
  for (let i = 0; i < 20; i += 1) loop.wake('toy.post')
  await eventually('the posted letter', 20_000, () => posted()[0] === 1)
  await loop.stop()
  expect(most).toBe(1)
  expect(posted()).toEqual([1])
})

test('a failed effect is tried again with the same key', async () => {
  let tries = 0
  const flaky = post(async () => {
    tries += 1
    if (tries === 1) throw new Error('the letter box is full')
  })
  const loop = startControllers([toySystem], [flaky], toy.control, log)
  await write('a')
  await eventually('the posted letter', 20_000, () => posted()[0] === 1)
  await loop.stop()
  expect(tries).toBe(2)
})

test('an effect whose outcome was not logged before a crash is asked for again by the next server', async () => {
  const never = startControllers([toySystem], [post(() => new Promise(() => {}))], toy.control, log)
  await write('a')
  await never.stop()
  expect(posted()).toEqual([0])
  const next = startControllers([toySystem], [post(async () => {})], toy.control, log)
  await eventually('the posted letter', 20_000, () => posted()[0] === 1)
  await next.stop()
})

test('a trace goes from what an entry was made for, through the entry, to the effect and what came of it', async () => {
  const rows: Record<string, unknown>[] = []
  const tracer = createTracer((_table, row) => void rows.push(row), 's1')
  toy.control.onEntries(tracer.entries)
  const loop = startControllers([toySystem], [post(async () => {})], toy.control, log, undefined, tracer)
  const operation = tracer.begin('toy.write', null)
  await toy.control.submit({ actor: 'user:test', ...traceOf(operation.cause) }, () => ({
    entries: [letterWritten.of({ to: 'a' })],
    value: () => undefined,
  }))
  operation.end(true)
  await write('b')
  await eventually('two posted letters', 20_000, () => posted().every((n) => n === 1) && posted().length === 2)
  await loop.stop()
  const { trace, span } = operation.cause
  const of = rows.filter((row) => row['trace_id'] === trace)
  const parents = new Map(of.map((row) => [row['span_id'], row['parent_span_id']]))
  const told = of.find((row) => row['name'] === 'toy.LetterPosted')
  const way: unknown[] = []
  for (let at: unknown = told?.['span_id']; at; at = parents.get(at)) way.push(of.find((row) => row['span_id'] === at)?.['name'])
  expect(way).toEqual(['toy.LetterPosted', 'toy.post', 'toy.LetterWritten', 'toy.write'])
  expect(parents.get(span)).toBe('')
  expect(
    of.filter((row) => row['kind'] === 'entry'),
    'the letter nobody traced is in no trace',
  ).toHaveLength(2)
})
