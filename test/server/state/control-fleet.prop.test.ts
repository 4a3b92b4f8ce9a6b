import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openFakeFleet, rowsOf, settled, take, type Answer, type FakeFleet } from './fleet.ts'

const SERVERS = 3

type Step =
  | { do: 'take'; server: number; key: number }
  | { do: 'commit'; flight: number; isAnswered: boolean; isKept: boolean }
  | { do: 'fail'; flight: number; code: 'DELOS_OUTCOME_UNKNOWN' | 'DELOS_NO_QUORUM' }
  | { do: 'give'; server: number; max: number }
  | { do: 'elect'; server: number; others: 'told' | 'asleep' }
  | { do: 'cut'; isCut: boolean }
  | { do: 'restart'; server: number }

const server = fc.nat(SERVERS - 1)
const flight = fc.nat(5)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('take' as const), server, key: fc.nat(7) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('commit' as const), flight, isAnswered: fc.boolean(), isKept: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      flight,
      code: fc.constantFrom('DELOS_OUTCOME_UNKNOWN' as const, 'DELOS_NO_QUORUM' as const),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('give' as const), server, max: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('elect' as const), server, others: fc.constantFrom('told' as const, 'asleep' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), isCut: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), server }) },
)

async function carryOut(fleet: FakeFleet, one: Step, ask: (server: number, key: string) => void): Promise<void> {
  const { world } = fleet
  if (one.do === 'take') ask(one.server, `k${one.key}`)
  else if (one.do === 'give') world.servers[one.server]?.give(one.max)
  else if (one.do === 'elect') world.elect(one.server, one.others)
  else if (one.do === 'cut') world.isCut = one.isCut
  else if (one.do === 'restart') await fleet.restart(one.server)
  else {
    const found = world.flights[one.flight % Math.max(1, world.flights.length)]
    if (found === undefined) return
    if (one.do === 'fail') {
      // Nothing was appended, or that is not known: then it may come at any time.
      if (one.code === 'DELOS_NO_QUORUM') {
        if (found.isAnswered || found.isIn) return
        world.drop(found)
      }
      world.fail(found, one.code)
    } else {
      world.commit(found, one.isAnswered)
      // What is kept comes in once more some time.
      if (!one.isKept) world.drop(found)
    }
  }
}

test('whatever happens on the way, all servers have the same state, and what was acknowledged is in it once, decided on the state before it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), fc.nat(SERVERS - 1), async (steps, last) => {
      const fleet = await openFakeFleet(SERVERS)
      const { world } = fleet
      const answers: Answer[] = []
      const asked: Promise<unknown>[] = []
      const ask = (of: number, key: string): void => {
        const control = fleet.controls[of]
        if (control !== undefined) asked.push(take(control, key, `${asked.length}`).then((answer) => answers.push(answer)))
      }
      try {
        world.elect(0)
        await settled()
        for (const one of steps) {
          await carryOut(fleet, one, ask)
          await settled()
        }
        // All is well again: one leads, everything under way comes in or is known not to.
        world.isCut = false
        world.elect(last)
        ask(last, 'end')
        for (let i = 0; answers.length < asked.length || world.flights.length > 0; i += 1) {
          expect(i, 'it ends').toBeLessThan(200)
          const flights = world.flights.splice(0)
          for (const each of flights) world.commit(each)
          for (const each of world.servers) each.give()
          await settled()
          if (flights.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
        }
        const rows = rowsOf(fleet.controls[last] as FakeFleet['controls'][number])
        const takenBy = new Map(rows.map(({ key, by }) => [key, by]))
        expect(rows.filter(({ times, is_fresh }) => times !== 1 || is_fresh !== 1)).toEqual([])
        for (const { key, by, code } of answers) {
          if (code === 'taken') expect(takenBy.get(key), `${by} has ${key}`).toBe(by)
          else if (code === 'DELOS_CONFLICT') expect(takenBy.get(key), `somebody else has ${key}`).not.toBe(by)
          else if (code === 'DELOS_OUTCOME_UNKNOWN') continue
          else {
            expect(['DELOS_NOT_LEADER', 'DELOS_NO_QUORUM', 'UNAVAILABLE']).toContain(code)
            expect(takenBy.get(key), `${by} was told ${code}`).not.toBe(by)
          }
        }
        for (const { key, code } of answers) if (code === 'DELOS_CONFLICT') expect(takenBy.has(key)).toBe(true)
        expect(answers.find(({ key }) => key === 'end')).toMatchObject({ code: 'taken' })
        const whole = (control: FakeFleet['controls'][number]): unknown => control.read(1, 1000)
        for (const control of fleet.controls) {
          expect(whole(control)).toEqual(whole(fleet.controls[last] as FakeFleet['controls'][number]))
          expect(control.read(1, 1000).map(({ position }) => position)).toEqual(rows.map((_, i) => i + 1))
        }
        expect(new Set(fleet.digests()).size).toBe(1)
      } finally {
        await fleet.close()
      }
    }),
    { numRuns: Number(process.env['MUSTER_FLEET_RUNS'] ?? 40), endOnFailure: true },
  )
}, 120_000)
