import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DeliverBody } from '../../../src/core/sev/controllers/dispatcher.ts'
import { DeliveryFailed, DeliverySent } from '../../../src/core/sev/entries/page.ts'
import {
  incidentAck,
  incidentDeclare,
  incidentEscalate,
  incidentLevel,
  incidentResolve,
  incidentUnack,
} from '../../../src/core/sev/operations.ts'
import type { IncidentRow } from '../../../src/core/sev/schema.ts'
import { firstBrokenRow } from '../../../src/core/sev/timeline.ts'
import type { State } from './state.ts'
import { MINUTE, sevState } from './support.ts'

type Act =
  | { kind: 'advance'; ms: number }
  | { kind: 'outcome'; pick: number; how: 'sent' | 'failed' | 'permanent' }
  | { kind: 'ack' | 'unack' | 'escalate' | 'resolve' | 'restart' }
  | { kind: 'declare' | 'level'; level: 1 | 2 | 3 }

const level = fc.constantFrom(1 as const, 2 as const, 3 as const)
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 40 * MINUTE }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('outcome' as const),
      pick: fc.nat(20),
      how: fc.constantFrom('sent' as const, 'failed' as const, 'permanent' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('ack' as const, 'unack' as const, 'escalate' as const, 'resolve' as const, 'restart' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('declare' as const, 'level' as const), level }) },
)

/** Refusals are part of the game: nothing is open, two are. */
const tryTo = (run: () => unknown): void => {
  try {
    run()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
  }
}

function perform(state: State, step: Act): State {
  const who = 'user:anna'
  const newest = state.db.get<{ number: number }>('SELECT MAX(number) AS number FROM sev_incident')?.number ?? undefined
  const incident = newest === undefined ? {} : { incident: newest }
  switch (step.kind) {
    case 'advance':
      state.advance(step.ms)
      break
    case 'outcome': {
      const effects = state.effects()
      const effect = effects[step.pick % Math.max(1, effects.length)]
      if (!effect) break
      state.append([
        step.how === 'sent'
          ? DeliverySent.of({ key: effect.key, detail: '' })
          : DeliveryFailed.of({ key: effect.key, error: 'x', isPermanent: step.how === 'permanent' }),
      ])
      break
    }
    case 'restart': {
      const again = state.rebuilt()
      expect(again.digest()).toBe(state.digest())
      state.close()
      return again
    }
    case 'declare':
      state.run(incidentDeclare, { title: 'it is bad', service: 'web', level: step.level }, 'user:zoe')
      break
    case 'level':
      tryTo(() => state.run(incidentLevel, { ...incident, level: step.level, why: 'better known' }, who))
      break
    case 'ack':
      tryTo(() => state.run(incidentAck, incident, who))
      break
    case 'unack':
      tryTo(() => state.run(incidentUnack, incident, who))
      break
    case 'escalate':
      tryTo(() => state.run(incidentEscalate, incident, who))
      break
    case 'resolve':
      tryTo(() => state.run(incidentResolve, { ...incident, cause: 'unknown' }, who))
  }
  state.settle()
  return state
}

function check(state: State): void {
  const wakeAt = state.settle()
  const due = state.effects().map((effect) => effect.body as DeliverBody)
  for (const row of state.db.all<IncidentRow>('SELECT * FROM sev_incident')) {
    const own = due.filter((body) => body.page.facts.incident === row.number && body.kind === 'page')
    // Nothing pages after somebody answered.
    if (row.state !== 'open') expect(own).toEqual([])
    // What is open is being worked on: somebody is asked or was reached, or a timer will ask, or the whole ladder is spent.
    if (row.state === 'open') {
      const isAsked =
        state.db.get(
          `SELECT 1 AS one FROM sev_page WHERE incident = ? AND generation = ? AND state IN ('open', 'dead')`,
          row.number,
          row.generation,
        ) !== undefined
      expect(isAsked || row.step_due_at !== null).toBe(true)
      if (row.step_due_at !== null) expect(wakeAt).not.toBeNull()
      if (row.level === 1) expect(row.step_due_at).not.toBeNull()
    }
  }
  // A page is never left without a way on: something is due, will be tried, was sent, or a contact still waits its delay.
  for (const page of state.db.all<{ id: string }>(`SELECT id FROM sev_page WHERE state = 'open'`)) {
    const alive = state.db.get(
      `SELECT 1 AS one FROM sev_delivery WHERE page = ? AND state IN ('intended', 'failed', 'sent', 'confirmed')`,
      page.id,
    )
    expect(alive !== undefined || wakeAt !== null).toBe(true)
  }
}

test('whatever people, channels and crashes do: nothing pages after an answer, nothing open is forgotten, a rebuilt state is the same', () => {
  fc.assert(
    fc.property(fc.array(act, { minLength: 1, maxLength: 14 }), (steps) => {
      let state = sevState()
      try {
        state.run(incidentDeclare, { title: 'it is bad', service: 'web' }, 'user:zoe')
        for (const step of steps) {
          state = perform(state, step)
          check(state)
        }
        for (const { number } of state.db.all<{ number: number }>('SELECT number FROM sev_incident'))
          expect(firstBrokenRow(state.db, number)).toBeNull()
      } finally {
        state.close()
      }
    }),
    { numRuns: 80, interruptAfterTimeLimit: 8000 },
  )
})
