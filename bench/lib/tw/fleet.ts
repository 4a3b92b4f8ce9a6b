import type { Proposal } from '../../../src/core/contracts/entry.ts'
import { createPrng, type Prng } from '../../../src/core/kernel/prng.ts'
import { jobSubmitted, updateTargetSet } from '../../../src/core/tw/entries/jobs.ts'
import { nodeJoined } from '../../../src/core/tw/entries/nodes.ts'
import { jobFileSchema } from '../../../src/core/tw/schema.ts'
import { resolveJob } from '../../../src/core/tw/spec/resolve.ts'

/* A made-up fleet: nodes of six shapes over zones and racks, and jobs of one group each, all from one seed. */

/** $MUSTER_BENCH_NODES: 100,000 unless it says otherwise; a fortieth as many jobs of a thousand tasks each. */
export const NODES = Number(process.env['MUSTER_BENCH_NODES'] ?? 100_000)
export const TASKS_A_JOB = 1000
export const JOBS = Math.max(1, Math.round(NODES / 40))
export const TASKS = JOBS * TASKS_A_JOB
export const ZONES = 10
const RACKS_A_ZONE = 50
/** of the fleet's cpu and memory, what the jobs together ask for; cpu is what runs out first, since it is what is to be packed */
const LOAD = { cpu: 0.9, memory: 0.85 }

const GIB = 1024 ** 3
const SHAPES = [
  { cpuMilli: 16_000, memoryBytes: 64 * GIB, attributes: { arch: 'amd64', disk: 'ssd', generation: '1' } },
  { cpuMilli: 32_000, memoryBytes: 128 * GIB, attributes: { arch: 'amd64', disk: 'nvme', generation: '2' } },
  { cpuMilli: 32_000, memoryBytes: 256 * GIB, attributes: { arch: 'amd64', disk: 'ssd', generation: '2' } },
  { cpuMilli: 48_000, memoryBytes: 192 * GIB, attributes: { arch: 'arm64', disk: 'nvme', generation: '3' } },
  { cpuMilli: 64_000, memoryBytes: 256 * GIB, attributes: { arch: 'amd64', disk: 'nvme', generation: '3' } },
  { cpuMilli: 96_000, memoryBytes: 384 * GIB, attributes: { arch: 'arm64', disk: 'nvme', generation: '4' } },
] as const
const CONSTRAINTS = ['node.arch = arm64', 'node.disk = nvme', 'node.generation in [2, 3]', 'node.arch = amd64']

export function nodeName(i: number): string {
  return `n${String(i).padStart(6, '0')}`
}

export function zoneOf(i: number): number {
  return i % ZONES
}

export function joinOf(i: number): Proposal {
  const zone = zoneOf(i)
  const { cpuMilli, memoryBytes, attributes } = shapeOf(i)
  const rack = `z${zone}-r${Math.floor(i / ZONES) % RACKS_A_ZONE}`
  const address = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`
  return nodeJoined.of({
    ...{ node: nodeName(i), bootId: 'bench', pid: 1, region: `r${zone % 2}`, zone: `z${zone}`, rack, address },
    ...{ cpuMilli, memoryBytes, attributes },
  })
}

function shapeOf(i: number): (typeof SHAPES)[number] {
  return SHAPES[Math.floor(i / ZONES) % SHAPES.length] ?? SHAPES[0]
}

export interface JobShape {
  name: string
  count: number
  cpuMilli: number
  memoryMib: number
  constraints: string[]
  /** more keys of the group */
  group: Record<string, unknown>
}

/** Jobs whose demand together is {@link LOAD} of the fleet; every fifth is constrained, and none has more than five tasks on a node. */
export function jobShapes(seed: number, jobs = JOBS, more: (prng: Prng, i: number) => Record<string, unknown> = () => ({})): JobShape[] {
  const prng = createPrng(seed)
  const raw = Array.from({ length: jobs }, (_, i) => {
    const cpu = 250 * 2 ** prng.below(5) * (0.6 + 0.8 * prng.next())
    return {
      cpu,
      memory: cpu * (0.5 + prng.next()),
      constraints: i % 5 === 4 ? [CONSTRAINTS[prng.below(4)] ?? ''] : [],
      group: more(prng, i),
    }
  })
  const nodes = Array.from({ length: NODES }, (_, i) => shapeOf(i))
  const total = (of: (it: { cpuMilli: number; memoryBytes: number }) => number): number => nodes.reduce((sum, node) => sum + of(node), 0)
  const scale = (load: number, all: number, asked: number): number => (load * all) / (asked * (TASKS / jobs))
  const cpuScale = scale(
    LOAD.cpu,
    total((it) => it.cpuMilli),
    raw.reduce((sum, it) => sum + it.cpu, 0),
  )
  const memoryScale = scale(
    LOAD.memory,
    total((it) => it.memoryBytes) / 1024 ** 2,
    raw.reduce((sum, it) => sum + it.memory, 0),
  )
  return raw.map((it, i) => ({
    name: `j${String(i).padStart(5, '0')}`,
    count: Math.round(TASKS / jobs),
    cpuMilli: Math.max(1, Math.floor(it.cpu * cpuScale)),
    memoryMib: Math.max(1, Math.floor(it.memory * memoryScale)),
    constraints: it.constraints,
    group: it.group,
  }))
}

/** The entries of a submitted job. */
export function submitOf(shape: JobShape): Proposal[] {
  const resources = { cpu: `${shape.cpuMilli}m`, memory: `${shape.memoryMib}MiB` }
  const document = {
    job: shape.name,
    groups: {
      g: {
        count: shape.count,
        constraints: shape.constraints,
        distinct: { node: 5 },
        spread: {},
        ...shape.group,
        main: { command: 'serve', resources },
      },
    },
  }
  const spec = resolveJob(jobFileSchema.parse(document))
  const arms = [{ arm: 'primary' as const, version: 1, count: shape.count }]
  return [
    jobSubmitted.of({ job: shape.name, version: 1, document, spec, release: null, reason: '', isStarted: true }),
    updateTargetSet.of({ job: shape.name, group: 'g', owner: null, arms, count: shape.count, reason: '' }),
  ]
}
