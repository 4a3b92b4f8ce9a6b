import { must } from '../../../../src/core/kernel/assert.ts'
import { jobSpecOf, type GroupSpec } from '../../../../src/core/tw/job-spec.ts'
import { FleetImage, type Closed } from '../../../../src/core/tw/scheduler/image.ts'
import type { Standing } from '../../../../src/core/tw/scheduler/slice.ts'

/** Small fleets and groups for tests of the planner. */

export const MIB = 1_048_576

export interface TestNode {
  name: string
  address: string
  region: string
  zone: string
  rack: string
  labels: Record<string, string>
  closed: Closed | null
  cpuMilli: number
  memoryMib: number
  diskMib: number
  gpus: readonly { readonly model: string; readonly count: number }[]
  /** what other tasks hold */
  cpuHeld: number
  memoryHeldMib: number
}

/** Node `n00i` in eu with 1000m and 1000 MiB; odd ones are amd64, even ones arm64. */
export function nodeWith(i: number, more: Partial<TestNode> = {}): TestNode {
  const region = more.region ?? 'eu'
  return {
    name: `n${String(i).padStart(3, '0')}`,
    address: `10.0.0.${i}`,
    region,
    zone: region,
    rack: region,
    labels: {},
    closed: null,
    cpuMilli: 1000,
    memoryMib: 1000,
    diskMib: 0,
    gpus: [],
    cpuHeld: 0,
    memoryHeldMib: 0,
    ...more,
  }
}

export function imageWith(nodes: readonly TestNode[]): FleetImage {
  const image = new FleetImage()
  for (const it of nodes) {
    const node = image.setNode({
      name: it.name,
      address: it.address,
      attributes: {
        region: it.region,
        zone: it.zone,
        rack: it.rack,
        arch: Number(it.name.slice(1)) % 2 ? 'amd64' : 'arm64',
        ...Object.fromEntries(Object.entries(it.labels).map(([key, value]) => [`meta.${key}`, value])),
      },
      closed: it.closed,
      cpuMilli: it.cpuMilli,
      memoryBytes: it.memoryMib * MIB,
      diskBytes: it.diskMib * MIB,
      gpus: it.gpus,
    })
    const tasks = it.cpuHeld + it.memoryHeldMib > 0 ? 1 : 0
    image.holdSum(node, { cpu_milli: it.cpuHeld, memory_bytes: it.memoryHeldMib * MIB, disk_bytes: 0, tasks })
  }
  return image
}

export function groupOf(more: Record<string, unknown> = {}, resources: Record<string, unknown> = {}): GroupSpec {
  const main = { command: 'x', resources: { cpu: '100m', memory: '64MiB', ...resources } }
  const result = jobSpecOf({ job: 'web', groups: { api: { ...more, main } } })
  if (!result.ok) throw new Error(JSON.stringify(result.issues))
  return must(result.spec.groups[0], 'the group')
}

export const nobody: Standing = { sameVersion: [], group: [], live: [], avoid: new Set<string>() }

export const indexes = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
