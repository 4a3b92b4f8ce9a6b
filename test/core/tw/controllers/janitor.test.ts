import { expect, test } from 'vitest'
import { janitor, partsOf } from '../../../../src/core/tw/controllers/janitor.ts'
import { jobRun, jobStop } from '../../../../src/core/tw/operations.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'

const group = (grp: string, ended: number) => ({ job: 'web', grp, ended })

test('of more ended tasks than one decision looks at each group has its turn, and a group is never cut', () => {
  expect(partsOf([], 10)).toEqual([])
  const [a, b, c, d] = [group('a', 4), group('b', 6), group('c', 25), group('d', 1)]
  expect(partsOf([a, b, c, d], 10)).toEqual([[a, b], [c], [d]])
})

test('the janitor takes away so many ended tasks at once, and goes on soon while there are more', () => {
  const fleet = newSimulatedFleet({
    nodes: 2,
    behaviour: () => ({ startMs: 1e9, stopMs: 0, end: { afterMs: 250, state: 'failed', reason: 'exit 1' } }),
  })
  const resources = { cpu: '10m', memory: '8MiB' }
  const api = { count: 40, reschedule: { delay: '1s', factor: 1 }, main: { command: 'x', resources } }
  fleet.state.run(jobRun, { spec: { job: 'web', groups: { api } } })
  fleet.pass(40_000)
  fleet.state.run(jobStop, { job: 'web', reason: '' })
  fleet.pass(1000)
  const { db } = fleet.state
  const now = 2 * 86_400_000 + fleet.state.now()
  const decided = janitor.decide(db, now, { beats: new Map() })
  expect(decided.entries.map(({ body }) => (body as { ids: number[] }).ids.length)).toEqual([500])
  expect(decided.wakeAt).toBe(now + 1000)
  fleet.state.append(decided.entries)
  for (let i = 0; i < 10; i += 1) fleet.state.append(janitor.decide(db, now, { beats: new Map() }).entries)
  const last = janitor.decide(db, now, { beats: new Map() })
  expect(last.entries).toEqual([])
  expect(last.wakeAt).toBe(now + 600_000)
  // The last five of each index stay.
  expect(db.get<{ n: number }>('SELECT max(n) AS n FROM (SELECT count(*) AS n FROM tw_task GROUP BY idx)')?.n).toBe(5)
})
