import type { ReadDb } from '../../contracts/storage.ts'
import { groupSpecOf, specOf, versionRow } from '../rows.ts'
import { demandOf } from '../scheduler/demand.ts'
import type { FleetImage, Shape } from '../scheduler/image.ts'
import { tallyOf } from '../tasks/tally.ts'
import type { GroupKey } from './fleet-cache.ts'

interface Holders {
  /** null: these tasks take no GPU */
  demand: Shape['demand'] | null
  live: number
}

/** How many live tasks of each group's version hold GPUs: the shapes of an image that is kept follow it, as those of one that is built do. */
export class GpuHolders {
  /** `JOB/GROUP` → version */
  readonly #known = new Map<string, Map<number, Holders>>()

  /** Takes a group as the state has it; `counts`: the image does not have it yet. */
  read(db: ReadDb, image: FleetImage, { job, group }: GroupKey, counts: boolean): void {
    if (image.devices.length === 0) return
    const name = `${job}/${group}`
    const known = this.#known.get(name) ?? new Map<number, Holders>()
    this.#known.set(name, known)
    const live = new Map(tallyOf(db, job, group).map(({ version, active, stopping }) => [version, active + stopping]))
    for (const version of new Set([...known.keys(), ...live.keys()])) {
      const before = known.get(version) ?? { demand: gpuDemandOf(db, job, version, group), live: 0 }
      const now = live.get(version) ?? 0
      if (counts && before.demand !== null && now !== before.live) image.countShape(before.demand, now - before.live)
      if (live.has(version)) known.set(version, { ...before, live: now })
      else known.delete(version)
    }
    if (known.size === 0) this.#known.delete(name)
  }

  clear(): void {
    this.#known.clear()
  }
}

function gpuDemandOf(db: ReadDb, job: string, version: number, group: string): Shape['demand'] | null {
  const spec = versionRow(db, job, version) && groupSpecOf(specOf(db, job, version), group)
  const demand = spec && demandOf(spec)
  return demand === undefined || demand.gpu === null ? null : { ...demand, gpu: demand.gpu }
}
