import type { DeliverBody } from '../../../src/core/sev/controllers/dispatcher.ts'
import { DeliverySent } from '../../../src/core/sev/entries/page.ts'
import { scheduleSet } from '../../../src/core/sev/operations.ts'
import type { OncallSchema } from '../../../src/core/sev/schema.ts'
import { zoneTable } from '../../../src/server/zones.ts'
import { createState, type State } from './state.ts'
import type { z } from 'zod'

/** 2026-11-02T10:00:00Z, a Monday. */
export const MONDAY = Date.UTC(2026, 10, 2, 10)

export const MINUTE = 60_000

export const file: z.input<typeof OncallSchema> = {
  version: 1,
  people: {
    anna: {
      timeZone: 'Europe/London',
      contacts: [
        { channel: 'webhook', address: 'http://127.0.0.1:1/a' },
        { channel: 'file', address: '/a', delay: '30s' },
      ],
    },
    ben: { contacts: [{ channel: 'file', address: '/b' }] },
    mei: { contacts: [{ channel: 'file', address: '/m' }] },
  },
  teams: { web: { primary: 'anna', secondary: 'ben', lead: 'mei' } },
  services: { web: { team: 'web' } },
}

let zones: ReturnType<typeof zoneTable>[] | undefined

/** A state with the on-call file applied. */
export function sevState(document: z.input<typeof OncallSchema> = file): State {
  const state = createState(MONDAY)
  zones ??= ['UTC', 'Europe/London'].map((tz) => zoneTable(tz, Date.UTC(2020, 0, 1), Date.UTC(2030, 0, 1)))
  state.run(scheduleSet, { document, zones, file: 'oncall.yaml' })
  return state
}

/** Every delivery that is due succeeds; gives who was told what over which channel. */
export function deliverAll(state: State): { person: string; channel: string; kind: string; line: string }[] {
  state.settle()
  const told = state.effects().map((effect) => {
    const body = effect.body as DeliverBody
    state.append([DeliverySent.of({ key: effect.key, detail: 'ok' })], 'effect:sev.deliver')
    return { person: body.page.facts.person, channel: body.channel, kind: body.kind, line: body.page.firstLine }
  })
  state.settle()
  return told
}

/** The entries a rollout that failed leaves, as deploy writes them. */
export function badRollout(state: State, service = 'web', rollout = 7): void {
  const mark = (kind: string, text: string) => ({ system: 'deploy', kind, target: `r${rollout}`, service, text })
  state.foreign({ type: 'deploy.RolloutStepEntered', body: { rollout }, notable: mark('deploy-step', `v3 goes to 5 % of ${service}`) })
  state.now += 4000
  state.foreign({
    type: 'deploy.StepVerdict',
    body: {
      rollout,
      step: 0,
      verdict: 'fail',
      reason: 'errors',
      evidence: { canary: { bad: 31, total: 600 }, control: { bad: 2, total: 9000 } },
    },
    notable: mark('verdict', `v3 on ${service}: fail (errors)`),
  })
  state.foreign({
    type: 'deploy.RollBack',
    body: { rollout, cause: 'errors', text: '5.2 % against 0.02 %' },
    notable: mark('rollback', `v3 on ${service} rolled back (errors): 5.2 % against 0.02 %`),
  })
}

export function rolledBack(state: State, service = 'web', rollout = 7): void {
  state.foreign({
    type: 'deploy.RolledBack',
    body: { rollout },
    notable: {
      system: 'deploy',
      kind: 'rolled-back',
      target: `r${rollout}`,
      service,
      text: `${service} is back on its old release; v3 has 0 %`,
    },
  })
}
