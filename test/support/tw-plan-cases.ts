import { must } from '../../src/core/kernel/assert.ts'
import { canonicalJson } from '../../src/core/kernel/json.ts'
import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import { FleetCache } from '../../src/core/tw/controllers/fleet-cache.ts'
import { decisions } from '../../src/core/tw/controllers/reconciler.ts'
import { jobPlan, jobRun, jobStop, nodeCordon, nodeUncordon } from '../../src/core/tw/operations.ts'
import { taskName } from '../../src/core/tw/rows.ts'
import { imageOf } from '../../src/core/tw/scheduler/fleet.ts'
import { newSimulatedFleet } from './tw-fleet.ts'

/**
 * Random jobs on small fleets, some with GPUs, that fill up and empty again: each is planned, on an image built from the state and on the one
 * the server keeps, then run, and the first round of placements is compared with the plans.
 */
export function planCases(count: number, seed: number): { cases: number; different: number; first: string | null } {
  const random = createPrng(seed)
  let different = 0
  let first: string | null = null
  for (let done = 0; done < count;) {
    const hasGpus = random.below(3) === 0
    const fleet = newSimulatedFleet({
      ...{ nodes: 2 + random.below(8), cpuMilli: 1000 + 500 * random.below(4), regions: 1 + random.below(3) },
      ...(hasGpus ? { gpus: [{ model: 'T4', count: 1 + random.below(3) }] } : {}),
    })
    fleet.pass(200)
    const cache = new FleetCache()
    let told = 0
    // A fresh fleet now and then: states grow, and with them the time a case takes.
    for (let i = 0; i < 40 && done < count; i += 1, done += 1) {
      const spec = drawJob(random, hasGpus)
      if (random.below(10) === 0) {
        const node = `n${1 + random.below(fleet.nodes.size)}`
        fleet.state.run(random.below(2) === 0 ? nodeCordon : nodeUncordon, { node })
      }
      const { db, entries } = fleet.state
      cache.apply(db, entries.slice(told))
      told = entries.length
      cache.image(db, told)
      const asked = { now: fleet.state.now(), actor: 'user:test', role: 'viewer', position: told + 1 } as const
      const kept = jobPlan.answer(db, { spec }, { ...asked, soft: { cache } })
      const planned = fleet.state.ask(jobPlan, { spec })
      fleet.state.run(jobRun, { spec })
      // Nothing else happens in between: what the log moved on would be another plan.
      const came = decisions(fleet.state.db, imageOf(fleet.state.db), fleet.state.now()).flatMap(({ job, group, decision }) =>
        job !== spec.job
          ? []
          : decision.place.flatMap(({ tasks }) =>
              tasks.map((it) => ({ task: taskName({ job, grp: group, idx: it.index }), node: it.node })),
            ),
      )
      const places = (list: readonly { task: string; node: string }[]): string =>
        list
          .map((it) => `${it.task} on ${it.node}`)
          .sort()
          .join(', ')
      const [said, did] = [places(planned.groups.flatMap((group) => group.places)), places(came)]
      const isKeptSame = canonicalJson(kept) === canonicalJson(planned)
      if (said !== did || !isKeptSame) {
        different += 1
        const plans = isKeptSame
          ? `planned ${said || 'none'}`
          : `planned ${canonicalJson(planned)} and by the kept image ${canonicalJson(kept)}`
        first ??= `case ${done}: ${JSON.stringify(spec)}: ${plans}; came ${did || 'none'}`
      }
      if (random.below(3) === 0) fleet.state.run(jobStop, { job: spec.job })
      // What waited for the room is placed before the next plan is made: a plan holds for the position it was made at.
      fleet.pass(random.below(3) === 0 ? 1500 : 100)
    }
  }
  return { cases: count, different, first }
}

function drawJob(random: Prng, hasGpus: boolean) {
  const one = <T>(...list: T[]): T => must(list[random.below(list.length)], 'one of them')
  const group = {
    count: 1 + random.below(8),
    spread: one<unknown>({ region: 'even', node: 'even' }, {}, { rack: { targets: 'even', hard: true } }, { region: { r1: 70, r2: 30 } }),
    constraints: one([], [], ['node.arch = amd64'], ['node.region != r2', 'node.name != n1']),
    distinct: one<unknown>({}, {}, { node: 1 + random.below(2) }, { rack: 3 }),
    affinities: one<unknown[]>([], [{ 'node.arch = arm64': 40 }]),
    main: {
      command: 'x',
      resources: {
        ...{ cpu: `${50 * (1 + random.below(10))}m`, memory: `${32 * (1 + random.below(16))}MiB` },
        ...(hasGpus ? one({}, { gpu: { count: 1, share: `${20 + 10 * random.below(6)}%` } }, { gpu: { count: 1 + random.below(2) } }) : {}),
      },
    },
  }
  return { job: `j${random.below(6)}`, priority: 20 + 10 * random.below(6), groups: { g: group } }
}
