import type { GroupSpec } from '../job-spec.ts'

/** What one task of a group takes from its node. */
export interface Demand {
  cpuMilli: number
  memoryBytes: number
  diskBytes: number
  /** static ports: each is held once per address */
  ports: readonly number[]
  gpu: GpuDemand | null
}

export interface GpuDemand {
  count: number
  /** thousandths of each of the `count` devices; 1000: whole */
  milli: number
  /** empty: of any model */
  models: readonly string[]
}

export function demandOf(group: Pick<GroupSpec, 'container'>): Demand {
  const { cpuMilli, memoryBytes, diskBytes, ports, gpu } = group.container
  return {
    cpuMilli,
    memoryBytes,
    diskBytes,
    ports: Object.values(ports).filter((port) => port > 0),
    gpu: gpu === null ? null : { count: gpu.count, milli: gpu.shareMilli, models: gpu.models },
  }
}
