import { defineConfig } from 'vitest/config'

/** Whole fleets under load: judged by their latency, so each has the machine for itself. */
const FLEETS = ['test/e2e/**/*.test.ts']

const shared = { testTimeout: 30_000, hookTimeout: 60_000, disableConsoleIntercept: true }

export default defineConfig({
  test: {
    // Two cores: more workers than that only makes the process tests flaky.
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'rooms', include: ['test/**/*.test.{ts,tsx}'], exclude: FLEETS, sequence: { groupOrder: 0 } } },
      {
        test: { ...shared, name: 'fleets', include: FLEETS, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
})
