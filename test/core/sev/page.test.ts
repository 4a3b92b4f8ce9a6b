import { afterEach, expect, test } from 'vitest'
import type { DeliverBody } from '../../../src/core/sev/controllers/dispatcher.ts'
import { DeliveryFailed, DeliverySent } from '../../../src/core/sev/entries/page.ts'
import {
  incidentAck,
  incidentDeclare,
  incidentEscalate,
  incidentLevel,
  incidentShow,
  incidentUnack,
  noteAdd,
  pageReceipt,
  timeline,
  why,
} from '../../../src/core/sev/operations.ts'
import type { State } from './state.ts'
import { deliverAll, file, MINUTE, sevState } from './support.ts'

const states: State[] = []
const keep = (state: State): State => {
  states.push(state)
  return state
}
afterEach(() => states.splice(0).forEach((state) => state.close()))

const declare = (state: State, level: 1 | 2 | 3 | 4 = 2) =>
  state.run(incidentDeclare, { title: 'feed errors', service: 'web', level }, 'user:zoe').incident.number
const due = (state: State) => state.effects().map((effect) => effect.body as DeliverBody)
const fail = (state: State, key: string, isPermanent = false) => {
  state.append([DeliveryFailed.of({ key, error: 'HTTP 500', isPermanent })], 'effect:sev.deliver')
  state.settle()
}

test('a failed delivery is tried again after 5, 15 and 45 s with the same key, and the next contact starts at the first failure', () => {
  const state = keep(sevState())
  declare(state)
  state.settle()
  const [first] = due(state)
  expect(due(state).map((body) => `${body.channel}#${body.attempt}`)).toEqual(['webhook#1'])
  expect(first?.key).toMatch(/^d\d+-0$/)
  fail(state, first?.key ?? '')
  expect(due(state).map((body) => body.channel)).toEqual(['file'])
  const waits: number[] = []
  for (let attempt = 2; attempt <= 4; attempt += 1) {
    const from = state.now
    while (!due(state).some((body) => body.key === first?.key)) {
      state.now = state.settle() ?? state.now + 1000
      state.settle()
    }
    waits.push(state.now - from)
    expect(due(state).find((body) => body.key === first?.key)?.attempt).toBe(attempt)
    fail(state, first?.key ?? '')
  }
  expect(waits).toEqual([5_000, 15_000, 45_000])
  state.advance(10 * MINUTE)
  expect(due(state).some((body) => body.key === first?.key)).toBe(false)
})

test('when every contact fails for good the next step comes at once, and the pager says that it is in trouble', () => {
  const state = keep(sevState())
  const number = declare(state)
  state.settle()
  fail(state, due(state)[0]?.key ?? '', true)
  fail(state, due(state)[0]?.key ?? '', true)
  const view = state.ask(incidentShow, { incident: number })
  expect(view.pages.map((page) => `${page.person} ${page.state}`)).toEqual(['anna dead', 'ben open'])
  expect(state.db.all(`SELECT service, title FROM sev_incident WHERE service = 'pager'`)).toEqual([
    { service: 'pager', title: 'pages to anna do not arrive' },
  ])
})

test('a step waits its time and asks the next person; the wait survives that state.db is lost', () => {
  const state = keep(sevState())
  declare(state)
  expect(deliverAll(state).map((told) => told.person)).toEqual(['anna'])
  state.advance(14 * MINUTE)
  expect(new Set(deliverAll(state).map((told) => told.person))).toEqual(new Set(['anna']))
  const again = keep(state.rebuilt())
  again.advance(MINUTE - 1)
  expect(due(again).map((body) => body.page.facts.person)).toEqual([])
  again.advance(1)
  expect(due(again).map((body) => body.page.facts.person)).toEqual(['ben'])
})

test('after a long outage of the server there is one overdue step, and the one after it waits its whole delay', () => {
  const state = keep(sevState())
  const number = declare(state)
  deliverAll(state)
  // Nobody decided anything for two hours.
  state.now += 120 * MINUTE
  state.settle()
  expect(state.ask(incidentShow, { incident: number }).pages.map((page) => page.person)).toEqual(['anna', 'ben'])
  expect(state.ask(incidentShow, { incident: number }).incident.nextStepAt).toBe(state.now + 15 * MINUTE)
})

test('a delivery that was intended before a crash is asked for again with its key, one that was sent is not', () => {
  const state = keep(sevState())
  declare(state)
  state.settle()
  const keys = due(state).map((body) => body.key)
  const again = keep(state.rebuilt())
  again.settle()
  expect(due(again).map((body) => body.key)).toEqual(keys)
  again.append([DeliverySent.of({ key: keys[0] ?? '', detail: '' })])
  const third = keep(again.rebuilt())
  third.settle()
  expect(due(third)).toEqual([])
})

test('an acknowledgement ends every timer, retry and open page, and tells those who were reached to stand down', () => {
  const state = keep(sevState())
  const number = declare(state)
  deliverAll(state)
  state.advance(15 * MINUTE)
  state.run(incidentAck, {}, 'user:ben')
  state.settle()
  expect(due(state).map((body) => `${body.kind} ${body.page.facts.person}: ${body.page.firstLine}`)).toEqual([
    `notice anna: SEV2 #${number} feed errors · stand down: acknowledged by ben`,
  ])
  deliverAll(state)
  state.advance(59 * MINUTE)
  expect(due(state)).toEqual([])
  // Never an error at 3 am.
  expect(state.run(incidentAck, { incident: number }, 'user:anna').text).toBe(`#${number} was acknowledged by ben`)
})

test('an acknowledgement taken back within 10 s leaves the old timers, later it starts from the first step', () => {
  const state = keep(sevState())
  const number = declare(state)
  deliverAll(state)
  const before = state.ask(incidentShow, {}).incident
  state.advance(MINUTE)
  state.run(incidentAck, {}, 'user:anna')
  state.advance(5_000)
  expect(state.run(incidentUnack, {}, 'user:anna').text).toContain('its timers go on')
  expect(state.ask(incidentShow, {}).incident).toMatchObject({
    state: 'open',
    generation: before.generation,
    nextStepAt: before.nextStepAt,
    paging: ['anna'],
  })
  state.run(incidentAck, {}, 'user:anna')
  state.advance(11_000)
  state.run(incidentUnack, { incident: number }, 'user:anna')
  expect(state.ask(incidentShow, {}).incident).toMatchObject({ state: 'open', generation: before.generation + 1, nextStepAt: state.now })
})

test('an acknowledgement nobody acts on goes stale; a note keeps it fresh', () => {
  const state = keep(sevState())
  declare(state)
  state.run(incidentAck, {}, 'user:anna')
  state.advance(60 * MINUTE)
  state.run(noteAdd, { text: 'looking at the cache' }, 'user:anna')
  state.advance(64 * MINUTE)
  expect(state.ask(incidentShow, {}).incident.state).toBe('acked')
  state.advance(MINUTE)
  expect(state.ask(incidentShow, {}).incident.state).toBe('open')
})

test('raising the level starts the ladder again, lowering it needs a reason and stops no page', () => {
  const state = keep(sevState())
  const number = declare(state, 3)
  state.settle()
  expect(due(state).map((body) => body.page.facts.person)).toEqual(['ben'])
  expect(state.refusal(incidentLevel, { level: 4 }).code).toBe('USAGE')
  state.run(incidentLevel, { level: 4, why: 'one user' })
  state.settle()
  expect(due(state)).toHaveLength(1)
  state.run(incidentLevel, { level: 1 })
  state.settle()
  expect(new Set(due(state).map((body) => body.page.facts.person))).toEqual(new Set(['anna', 'ben']))
  expect(state.ask(incidentShow, { incident: number }).incident.generation).toBe(2)
})

test('a SEV1 never stops asking, a SEV4 asks nobody', () => {
  const state = keep(sevState())
  const number = declare(state, 1)
  state.advance(60 * MINUTE)
  const pages = state.ask(incidentShow, { incident: number }).pages
  // 0: primary and secondary, 5 min: lead, 10 min and every 5 min after: everybody.
  expect(pages.filter((page) => page.step >= 2).length).toBe(11 * 3)
  expect(state.ask(incidentShow, { incident: number }).incident.nextStepAt).toBe(state.now + 5 * MINUTE)
  const minor = state.run(incidentDeclare, { title: 'typo', level: 4 }).incident.number
  state.advance(60 * MINUTE)
  expect(state.ask(incidentShow, { incident: minor }).pages).toEqual([])
})

test('a step with nobody moves on at once and says so', () => {
  const state = keep(sevState({ ...file, teams: { web: { primary: 'anna' } } }))
  const number = declare(state, 3)
  state.settle()
  expect(due(state).map((body) => body.page.facts.person)).toEqual(['anna'])
  expect(state.ask(timeline, { incident: number }).rows.map((row) => row.text)).toContain('SEV3, step 1: nobody to ask, on to the next')
})

test('escalating asks somebody by name and opens an acknowledged incident again', () => {
  const state = keep(sevState())
  const number = declare(state)
  deliverAll(state)
  state.run(incidentAck, {}, 'user:anna')
  expect(state.refusal(incidentEscalate, { to: 'nobody' }).code).toBe('SEV_PERSON_UNKNOWN')
  state.run(incidentEscalate, { to: 'mei' }, 'user:anna')
  expect(
    deliverAll(state)
      .filter((told) => told.kind === 'page')
      .map((told) => told.person),
  ).toEqual(['mei'])
  const view = state.ask(why, { incident: number })
  expect(view.pages.at(-1)?.chain).toContain('person mei')
  state.run(incidentEscalate, {}, 'user:anna')
  state.settle()
  expect(due(state).map((body) => body.page.facts.person)).toEqual(['ben'])
})

test('a console that shows a page confirms its delivery once', () => {
  const state = keep(sevState())
  declare(state)
  state.settle()
  const key = due(state)[0]?.key ?? ''
  expect(state.run(pageReceipt, { key }, 'user:anna').state).toBe('confirmed')
  const count = state.entries.length
  state.run(pageReceipt, { key }, 'user:anna')
  expect(state.entries.length).toBe(count)
  expect(state.refusal(pageReceipt, { key: 'd1-9' }).code).toBe('NOT_FOUND')
})

test('the first line of a page stays within 160 characters, keeps its command and shows no secret', () => {
  const state = keep(sevState())
  const title = `token=hush ${'very long words '.repeat(11)}`.slice(0, 200)
  state.run(incidentDeclare, { title, service: 'web', level: 2 })
  state.settle()
  const line = due(state)[0]?.page.firstLine ?? ''
  expect([...line].length).toBeLessThanOrEqual(160)
  expect(line).toMatch(/… · sev ack \d+$/)
  expect(line).not.toContain('hush')
})

test('a retry that is under way wakes nobody again and again', () => {
  const state = keep(sevState())
  declare(state)
  state.settle()
  fail(state, due(state)[0]?.key ?? '')
  state.now += 6_000
  const wakeAt = state.settle()
  expect(due(state)).toHaveLength(2)
  expect(wakeAt === null || wakeAt > state.now).toBe(true)
})
