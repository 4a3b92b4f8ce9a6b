import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Whole fleets under load: judged by their latency, so each has the machine for itself. */
const FLEETS = ['test/e2e/**/*.test.ts']

const shared = { testTimeout: 60_000, hookTimeout: 90_000, disableConsoleIntercept: true }

// Programs that tests start from the sources, and threads of them, are compiled once and not at each start.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'muster-test-cache')

/** Files that start processes take the longest: they come first, so that none of them is left running alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith('.e2e.test.ts')
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/built.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...shared,
          name: 'rooms',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: FLEETS,
          // Two cores, and a third of a process test's time is spent on leases, elections and disks.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...shared, name: 'fleets', include: FLEETS, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})
