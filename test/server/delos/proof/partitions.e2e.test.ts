import { execa } from 'execa'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FAULTS } from '../../../../bench/soak/nemesis.ts'
import { whyNoNetwork } from '../../../../bench/soak/network.ts'
import type { NetReport } from '../../../../bench/soak/delos-net.ts'

const SOAK = join(import.meta.dirname, '../../../../bench/soak/run.ts')
const MISSING = whyNoNetwork()

test.skipIf(MISSING !== null)(
  `three servers that are cut off, stopped and killed, one fault after the other, tell all clients one history (${MISSING ?? 'network namespaces'})`,
  async () => {
    // `wan`, for a machine that runs other tests beside it.
    const run = await execa(process.execPath, [SOAK, 'delos-net', '--minutes', '0', '--profile', 'wan', '--json'], { reject: false })
    expect(run.stdout, run.stderr).not.toBe('')
    const report = JSON.parse(run.stdout) as NetReport
    expect(report.problems).toEqual([])
    expect(run.exitCode).toBe(0)
    expect(report.faults.map(({ name }) => name)).toEqual(FAULTS.map(({ name }) => name))
    // It was a proof of something: there was much to order, watches had to resume, and the search came to an end.
    expect(report.acknowledgedChanges).toBeGreaterThan(100)
    expect(report.pairs.linearizable).toBeGreaterThan(10)
    expect(report.pairs.undecided).toBe(0)
    expect(report.watch.resumes).toBeGreaterThan(5)
  },
  300_000,
)
