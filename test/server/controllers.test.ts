import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Wiring } from '../../src/server/host.ts'
import { startControllers } from '../../src/server/controllers.ts'
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
