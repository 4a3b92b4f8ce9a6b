import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
    // Two cores: more workers than that only makes the process tests flaky.
    maxWorkers: 2,
  },
})
