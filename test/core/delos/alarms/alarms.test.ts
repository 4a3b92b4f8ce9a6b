import { describe, expect, test } from 'vitest'
import { conditionsOfStore, continued, slowDisk, type Condition } from '../../../../src/core/delos/alarms/conditions.ts'
import { ALARMS } from '../../../../src/core/delos/alarms/controller.ts'
import { delosSystem } from '../../../../src/core/delos/system.ts'
import { incidentList } from '../../../../src/core/sev/operations.ts'
import { sevSystem } from '../../../../src/core/sev/system.ts'
import { controlSystems } from '../../../../src/core/systems.ts'
import { newState } from '../../../support/state.ts'

const slow = (p99Ms: number | null, recent = 100) => slowDisk('kv', { recent, p99Ms })
const DAY = 24 * 3_600_000

const started = () => {
  const state = newState(controlSystems)
  let conditions: Condition[] | null = null
  return {
    state,
    see: (seen: Parameters<typeof continued>[1]): number | null => {
      conditions = continued(conditions ?? [], seen, state.now())
      return state.settle([...delosSystem.controllers, ...sevSystem.controllers], (name) => (name === ALARMS ? { conditions } : undefined))
    },
    forget: () => {
      conditions = null
      state.settle(delosSystem.controllers, (name) => (name === ALARMS ? { conditions } : undefined))
    },
    told: () =>
      state.entries.filter(({ type }) => type.startsWith('delos.Alarm')).map(({ type, body }) => [type, (body as { kind: string }).kind]),
    incidents: () => state.ask(incidentList, { isAll: true }).incidents,
  }
}

describe('a slow disk', () => {
  test('is told once it has been slow for a minute, once, and told to be over when it is', () => {
    const { state, see, told } = started()
    expect(see(slow(80))).toBe(state.now() + 60_000)
    state.advance(59_000)
    see(slow(90))
    expect(told()).toEqual([])
    state.advance(1000)
    see(slow(70))
    state.advance(5000)
    see(slow(70))
    expect(told()).toEqual([['delos.AlarmRaised', 'SLOW_DISK']])
    see(slow(10))
    expect(told()).toEqual([
      ['delos.AlarmRaised', 'SLOW_DISK'],
      ['delos.AlarmCleared', 'SLOW_DISK'],
    ])
  })

  test('is not judged by a few writes', () => {
    expect(slow(500, 99)).toEqual([])
    expect(slow(500, 100)).toMatchObject([{ kind: 'SLOW_DISK' }])
  })

  test('that is fast in between begins its minute anew', () => {
    const { state, see, told } = started()
    see(slow(80))
    state.advance(40_000)
    see(slow(null))
    see(slow(80))
    state.advance(40_000)
    see(slow(80))
    expect(told()).toEqual([])
  })

  test('opens an incident of level 3, which its end resolves', () => {
    const { state, see, incidents } = started()
    see(slow(80))
    state.advance(60_000)
    see(slow(80))
    expect(incidents()).toMatchObject([{ level: 3, source: 'delos', state: 'open' }])
    see([])
    expect(incidents()).toMatchObject([{ firingCount: 0 }])
  })
})

test('a server that has just started and has not looked yet ends no alarm', () => {
  const { see, forget, told } = started()
  see([{ kind: 'NOSPACE', target: 'log', text: 'full' }])
  forget()
  expect(told()).toEqual([['delos.AlarmRaised', 'NOSPACE']])
})

describe('of what a server of a store tells of itself', () => {
  const ARCHIVE = { to: '/backup', everyMs: 60_000, archived: 10, behind: 3, behindMs: 0, trouble: null }
  const FINE = {
    name: 'a',
    leader: 'f4',
    now: 20_000 * DAY,
    sync: { count: 1, recent: 1, p50Ms: 1, p99Ms: 2 },
    disk: { freeBytes: 10 ** 12, totalBytes: 10 ** 12 },
    alarms: [],
    archive: null,
    certificates: { client: null, peer: 20_100 * DAY },
  }
  const kinds = (page: Partial<typeof FINE> | object) => conditionsOfStore([{ ...FINE, ...page }]).map(({ kind }) => kind)

  test.each([
    ['nothing, when all is well', {}, []],
    ['that nobody leads', { leader: null }, ['NO_QUORUM']],
    ['alarms', { alarms: [{ id: '1', alarm: 'CORRUPT' }] }, ['CORRUPT']],
    ['a slow disk', { sync: { count: 100, recent: 100, p50Ms: 1, p99Ms: 51 } }, ['SLOW_DISK']],
    ['a full disk', { disk: { freeBytes: 1, totalBytes: 10 ** 12 } }, ['NOSPACE']],
    ['a certificate that ends within 14 days', { certificates: { client: null, peer: 20_013 * DAY } }, ['CERTIFICATE']],
    ['an archive that is over five minutes behind', { archive: { ...ARCHIVE, behindMs: 300_001 } }, ['ARCHIVE']],
    ['not one that is a little behind', { archive: { ...ARCHIVE, behindMs: 300_000 } }, []],
    ['not one that ends after', { certificates: { client: 20_015 * DAY, peer: null } }, []],
  ])('%s', (_, page, expected) => {
    expect(kinds(page)).toEqual(expected)
  })

  test('that nobody answers is as bad as that nobody leads; one that knows a leader is enough', () => {
    expect(conditionsOfStore([])).toMatchObject([{ kind: 'NO_QUORUM', target: 'store' }])
    expect(conditionsOfStore([{ ...FINE, leader: null }, FINE])).toEqual([])
  })

  test('the end of a certificate is told as a day', () => {
    const [told] = conditionsOfStore([{ ...FINE, certificates: { client: Date.UTC(2024, 9, 10), peer: null } }])
    expect(told?.text).toBe('a certificate of a ends on 2024-10-10')
  })
})
