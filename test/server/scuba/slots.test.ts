import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/core/scuba/limits.ts'
import { Flights } from '../../../src/server/scuba/leaf/flights.ts'
import { Slots, type Asker } from '../../../src/server/scuba/leaf/slots.ts'

const user = (name: string, isUrgent = false): Asker => ({ user: name, isUrgent })

/** A query that runs until it is told to end. */
const held = (slots: Slots, asker: Asker, waitMs = 60_000): { end: () => void; started: () => boolean; done: Promise<unknown> } => {
  let end = (): void => undefined
  let isStarted = false
  const done = slots
    .use(asker, waitMs, undefined, () => {
      isStarted = true
      return new Promise<void>((resolve) => (end = resolve))
    })
    .catch((error: unknown) => error)
  return { end: () => end(), started: () => isStarted, done }
}
const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i += 1) await Promise.resolve()
}

test('one user has eight running and 32 waiting, others pass it, and the next is refused at once', async () => {
  const slots = new Slots(40)
  const mine = Array.from({ length: LIMITS.userRunningMax + LIMITS.userWaitingMax }, () => held(slots, user('me')))
  await settle()
  expect(mine.filter(({ started }) => started())).toHaveLength(LIMITS.userRunningMax)
  expect(await held(slots, user('me')).done).toMatchObject({ code: 'SCUBA_BUSY', exit: 6 })
  const other = held(slots, user('other'))
  await settle()
  expect(other.started()).toBe(true)
  mine[0]?.end()
  await mine[0]?.done
  await settle()
  expect(mine.filter(({ started }) => started())).toHaveLength(LIMITS.userRunningMax + 1)
})

test('a quarter of the slots is for alerts and guards alone', async () => {
  const slots = new Slots(8)
  const people = Array.from({ length: 8 }, (_, i) => held(slots, user(`u${i}`)))
  await settle()
  expect(people.filter(({ started }) => started())).toHaveLength(6)
  const guards = [held(slots, user('alerts', true)), held(slots, user('alerts', true)), held(slots, user('alerts', true))]
  await settle()
  expect(guards.map(({ started }) => started())).toEqual([true, true, false])
  people[0]?.end()
  await people[0]?.done
  await settle()
  expect(guards[2]?.started()).toBe(true)
  expect(people.filter(({ started }) => started())).toHaveLength(6)
})

test('who waits past the deadline is refused and takes no slot afterwards', async () => {
  const slots = new Slots(1)
  const first = held(slots, user('a', true))
  expect(await held(slots, user('b', true), 5).done).toMatchObject({ code: 'SCUBA_DEADLINE' })
  first.end()
  await first.done
  expect([slots.running, slots.waiting]).toEqual([0, 0])
})

test('identical questions are asked once, and stopped only when nobody waits any more', async () => {
  const flights = new Flights()
  const [one, two] = [new AbortController(), new AbortController()]
  let asked = 0
  let stopped = false
  const ask = (signal: AbortSignal): Promise<number> => {
    asked += 1
    signal.addEventListener('abort', () => (stopped = true))
    return new Promise(() => undefined)
  }
  const both = [one, two].map(({ signal }) => flights.share('same', signal, ask).catch((error: unknown) => error))
  one.abort()
  expect(await both[0]).toMatchObject({ code: 'SCUBA_DEADLINE' })
  expect([asked, stopped, flights.shared]).toEqual([1, false, 1])
  two.abort()
  await both[1]
  expect([stopped, flights.count]).toEqual([true, 0])
})
