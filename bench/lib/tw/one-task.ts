import type { OpContext } from '../../../src/core/contracts/operation.ts'
import { isRefusal } from '../../../src/core/kernel/errors.ts'
import { explain, jobPlan } from '../../../src/core/tw/operations.ts'
import { plan } from '../../../src/core/tw/scheduler/planner.ts'
import { groupSpecOf, specOf } from '../../../src/core/tw/rows.ts'
import { NODES } from './fleet.ts'
import { submit } from './fill.ts'
import { placedBy, until, type House } from './house.ts'

const TRIES = Math.min(1000, NODES / 10)
const SMALL = { cpuMilli: 10, memoryMib: 8, constraints: [], group: {}, count: 1 }
const STANDING = { sameVersion: [], group: [], live: [], avoid: new Set<string>() }

export interface OneTask {
  planMs: number[]
  durableMs: number[]
  explainMs: number[]
  /** whole answers, as the server gives them: `tw explain` of a job without a place, the plan of a job of 10,000 tasks */
  answerMs: { explain: number[]; jobPlan: number[] }
  packed: number
}

/** What one small task costs in a fleet that is as full as it gets, and what it costs to say why a large one has no place. */
export async function oneTask(house: House, fillUp: () => Promise<number>): Promise<OneTask> {
  const { control, cache } = house
  const packed = await fillUp()
  const durableMs: number[] = []
  const loop = house.start()
  for (let i = 0; i < Math.min(100, TRIES); i += 1) {
    const startedMs = performance.now()
    const done = until(control, (entries) => entries.some((entry) => placedBy(entry) > 0))
    await submit(house, [{ ...SMALL, name: `one-${i}` }])
    await done
    durableMs.push(performance.now() - startedMs)
  }
  await loop.stop()
  const image = cache.image(control.db, control.tail() - 1)
  const group = groupSpecOf(specOf(control.db, 'one-0', 1), 'g')
  if (group === undefined) throw new Error('the job of one task is not there')
  const timeOf = (it: typeof group): number[] =>
    Array.from({ length: TRIES }, () => {
      const startedMs = performance.now()
      image.attempt(() => plan(image, { job: 'one-0', group: it, indexes: [1], standing: STANDING }))
      return performance.now() - startedMs
    })
  const large = { ...group, container: { ...group.container, cpuMilli: 15_000, memoryBytes: 2 ** 35 } }
  return { planMs: timeOf(group), durableMs, explainMs: timeOf(large).slice(0, 100), answerMs: await answers(house), packed }
}

async function answers(house: House): Promise<OneTask['answerMs']> {
  const { control, cache } = house
  await submit(house, [{ ...SMALL, name: 'large', cpuMilli: 15_000, memoryMib: 2 ** 15 }])
  const timesOf = (ask: (context: OpContext) => unknown): number[] =>
    Array.from({ length: 21 }, () => {
      const startedMs = performance.now()
      const answer = ask({ now: control.now(), actor: 'bench', role: 'viewer', position: control.tail(), soft: { cache } })
      if (isRefusal(answer)) throw answer
      return performance.now() - startedMs
    }).slice(1)
  const main = { command: 'serve', resources: { cpu: '10m', memory: '8MiB' } }
  const spec = { job: 'planned', groups: { g: { count: Math.min(10_000, NODES), main } } }
  return {
    explain: timesOf((context) => explain.answer(control.db, { target: 'large' }, context)),
    jobPlan: timesOf((context) => jobPlan.answer(control.db, { spec }, context)),
  }
}
