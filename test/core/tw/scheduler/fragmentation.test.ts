import { expect, test } from 'vitest'
import type { Demand } from '../../../../src/core/tw/scheduler/demand.ts'
import { fragmentationOf } from '../../../../src/core/tw/scheduler/fragmentation.ts'
import { FleetImage } from '../../../../src/core/tw/scheduler/image.ts'

const GIB = 1024 ** 3
const demandOf = (cpuMilli: number): Demand => ({
  ...{ cpuMilli, memoryBytes: GIB, diskBytes: 0, ports: [] },
  gpu: { count: 1, milli: 1000, models: [] },
})

test('a task that leaves GPUs without the cpu that usual requests take beside them fragments, long before none of these fits', () => {
  const image = new FleetImage()
  const node = (name: string, cpuMilli: number): number =>
    image.setNode({
      ...{ name, address: name, attributes: {}, closed: null, cpuMilli, memoryBytes: 512 * GIB, diskBytes: 0 },
      gpus: [{ model: 'V100', count: 8 }],
    })
  const [lean, rich] = [node('lean', 64_000), node('rich', 96_000)]
  image.expect(demandOf(8000), 100)
  const fragmentation = fragmentationOf(image)
  const added = (at: number, cpuMilli: number): number | undefined =>
    fragmentation?.added(at, demandOf(cpuMilli), fragmentation.memoOf(demandOf(cpuMilli)))
  // Of the seven GPUs that are left there the cpu feeds six and a half.
  expect(added(lean, 12_000)).toBe(500)
  expect(added(rich, 12_000)).toBe(0)
  expect(added(lean, 8000)).toBe(0)
})
