import { must } from '../../src/core/kernel/assert.ts'
import { createPrng, type Prng } from '../../src/core/kernel/prng.ts'
import { jobSpecOf, type GroupSpec } from '../../src/core/tw/job-spec.ts'
import { FleetImage } from '../../src/core/tw/scheduler/image.ts'
import type { Standing } from '../../src/core/tw/scheduler/slice.ts'

/** A fleet as large as one wants, of six shapes of nodes, 40 to a rack, 25 racks to a zone, and jobs of many shapes for it. */

export const MIB = 1_048_576

const SHAPES = [
  { cpuMilli: 16_000, memoryMib: 65_536, tier: 'silver' },
  { cpuMilli: 32_000, memoryMib: 65_536, tier: 'silver' },
  { cpuMilli: 32_000, memoryMib: 131_072, tier: 'silver' },
  { cpuMilli: 64_000, memoryMib: 131_072, tier: 'silver' },
  { cpuMilli: 64_000, memoryMib: 262_144, tier: 'gold' },
  { cpuMilli: 96_000, memoryMib: 393_216, tier: 'gold' },
] as const

export function fleetOf(nodes: number): FleetImage {
  const image = new FleetImage()
  for (let i = 0; i < nodes; i += 1) {
    // Racks hold nodes of one shape, as they are bought.
    const rack = Math.floor(i / 40)
    const shape = must(SHAPES[rack % SHAPES.length], 'a shape')
    const zone = Math.floor(rack / 25)
    image.setNode({
      name: `n${String(i).padStart(6, '0')}`,
      address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
      attributes: {
        arch: 'amd64',
        kernel: rack % 3 === 0 ? '6.1.0' : '5.10.0',
        region: `r${zone % 3}`,
        zone: `z${zone}`,
        rack: `k${rack}`,
        'meta.tier': shape.tier,
      },
      closed: null,
      cpuMilli: shape.cpuMilli,
      memoryBytes: shape.memoryMib * MIB,
      diskBytes: 0,
      gpus: [],
    })
  }
  return image
}

/** A group of the job file's form, with what `more` says of it. */
export function groupOf(more: Record<string, unknown> = {}): GroupSpec {
  const result = jobSpecOf({ job: 'bench', groups: { g: { ...more, main: { command: 'x' } } } })
  if (!result.ok) throw new Error(JSON.stringify(result.issues))
  return must(result.spec.groups[0], 'the group')
}

export const sized = (group: GroupSpec, cpuMilli: number, memoryMib: number): GroupSpec => ({
  ...group,
  container: { ...group.container, cpuMilli, memoryBytes: memoryMib * MIB },
})

/** Sizes as services have them: from a tenth of a core to four, half a GiB to eight for each core. */
export function drawSize(random: Prng): [cpuMilli: number, memoryMib: number] {
  const cpuMilli = must([100, 200, 250, 500, 1000, 2000, 4000][random.below(7)], 'a size')
  return [cpuMilli, Math.max(64, Math.round((cpuMilli * must([0.5, 1, 2, 4, 8][random.below(5)], 'a ratio') * 1024) / 64_000) * 64)]
}

export const nobody: Standing = { sameVersion: [], group: [], live: [], avoid: new Set<string>() }
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
export { createPrng }
