import { expect, test } from 'vitest'
import { jobRun, jobScale, jobStop, nodeDrain, taskRestart } from '../../../../src/core/tw/operations.ts'
import type { TallyRow } from '../../../../src/core/tw/tasks/tally.ts'
import { tallyRows } from '../../../../src/core/tw/tasks/tally.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'
import type { TestState } from '../../../support/state.ts'

const counted = ({ db }: TestState): TallyRow[] =>
  db.all<TallyRow>(
    `SELECT job, grp, version, count(*) AS known, sum(is_terminal = 0 AND want = 'run') AS active,
       sum(is_terminal = 0 AND want = 'run' AND state = 'running') AS running,
       sum(is_terminal = 0 AND want = 'run' AND state = 'running' AND health IN ('healthy', 'none')) AS ready,
       sum(is_terminal = 0 AND want = 'stop') AS stopping, sum(state = 'complete') AS complete,
       sum(CASE WHEN is_terminal = 0 THEN restarts ELSE 0 END) AS restarts
     FROM tw_task GROUP BY job, grp, version ORDER BY job, grp, version`,
  )

const job = (name: string, kind: 'service' | 'batch', count: number, env: Record<string, string> = {}) => ({
  job: name,
  kind,
  groups: { api: { count, main: { command: 'x', env, resources: { cpu: '100m', memory: '64MiB' } } } },
})

test('the tally is what a count of all tasks gives, through starts, updates, drains, crashes, losses and forgetting', () => {
  const fleet = newSimulatedFleet({
    nodes: 4,
    behaviour: (task) => ({
      startMs: 500,
      stopMs: 500,
      ...(task.task.startsWith('once') ? { end: { afterMs: 2000, state: 'complete' as const, reason: '' } } : {}),
      ...(task.task === 'web/api[1]' ? { end: { afterMs: 3000, state: 'failed' as const, reason: 'exit 1' } } : {}),
    }),
  })
  const check = (): void => expect(tallyRows(fleet.state.db)).toEqual(counted(fleet.state))
  fleet.pass(500)
  fleet.state.run(jobRun, { spec: job('web', 'service', 6) })
  fleet.state.run(jobRun, { spec: job('once', 'batch', 3) })
  fleet.pass(6000, check)
  fleet.state.run(jobRun, { spec: job('web', 'service', 6, { A: '2' }) })
  fleet.pass(1000, check)
  fleet.state.run(nodeDrain, { target: 'n2' })
  fleet.pass(5000, check)
  fleet.state.run(jobRun, { spec: { ...job('web', 'service', 6, { A: '2' }), labels: { team: 'shop' } } })
  fleet.state.run(taskRestart, { task: 'web/api[0]' })
  for (const node of fleet.nodes.values()) if (node.identity.node === 'n3') node.isSilent = true
  fleet.pass(15_000, check)
  for (const node of fleet.nodes.values()) node.isSilent = false
  fleet.state.run(jobScale, { job: 'web', count: 2 })
  fleet.pass(5000, check)
  fleet.state.run(jobStop, { job: 'web', reason: '' })
  fleet.pass(8000, check)
  // Long after, the janitor has forgotten what ended.
  fleet.state.advance(2 * 86_400_000)
  fleet.pass(2000, check)
})
