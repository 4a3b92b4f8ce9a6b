import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FaultOrder } from '../../src/core/contracts/fault.ts'
import type { DesiredTask, FaultReport } from '../../src/core/contracts/node.ts'
import { groupStates } from '../../src/platform/process.ts'
import { desired, lives, sh, TestNode } from './harness.ts'
import { eventually } from '../support/eventually.ts'

const isStopped = (pid: number): boolean => groupStates(pid).includes('T')

describe('faults on a node', () => {
  const node = new TestNode()
  // Each test has a task and a run of its own on the one node; those of the test before it end with the new orders.
  let n = 0
  let pid: number
  let task: DesiredTask

  beforeAll(() => node.start())
  afterAll(() => node.close())
  beforeEach(async () => {
    n += 1
    task = desired(n, sh('while :; do sleep 0.02; done'))
    node.server.order([task])
    pid = (await node.until(n, (report) => report.state === 'running')).pid ?? 0
    node.server.go = [{ run: `r${n}`, validMs: 5000 }]
  })

  const order = (fault: string, more: Partial<FaultOrder> = {}): FaultOrder => ({
    id: `r${n}/1`,
    run: `r${n}`,
    fault,
    task: n,
    incarnation: 1,
    arguments: {},
    untilMs: Date.now() + 60_000,
    leaseMs: 10_000,
    want: 'armed',
    ...more,
  })
  const report = (id = `r${n}/1`): FaultReport | undefined => node.server.report?.faults.find((fault) => fault.id === id)
  const arm = async (more: Partial<FaultOrder> = {}): Promise<void> => {
    node.server.order([task], [order('legion.pause', more)])
    await eventually('armed', 20_000, () => report(more.id)?.state === 'armed')
    if (more.leaseMs === undefined) expect(isStopped(pid)).toBe(true)
  }

  it('a pause stops the whole group, is counted, and ends when ordered', async () => {
    await arm()
    expect(report()).toMatchObject({ effect: 1 })
    node.server.order([task], [order('legion.pause', { want: 'reverted' })])
    await eventually('reverted', 20_000, () => report()?.state === 'reverted')
    expect(isStopped(pid)).toBe(false)
    node.server.order([task])
    await eventually('the ledger is empty', 20_000, () => readdirSync(node.paths.faults).join() === 'REVERT.sh')
  })

  it('a pause ends at once when the agent is killed, and its next agent says so instead of arming again (I5)', async () => {
    await arm()
    await node.crash()
    // Long before its lease of 10 s ends.
    await eventually('the task goes on', 5000, () => !isStopped(pid))
    node.server.report = null
    node.startAgent()
    await eventually('a report', 20_000, () => report() !== undefined)
    expect(report()).toMatchObject({ state: 'reverted', message: 'by ledger' })
    await sleep(300)
    expect(isStopped(pid)).toBe(false)
    expect(node.server.task(n)).toMatchObject({ pid, restarts: 0 })
  })

  it('a pause whose agent and holder are both killed is undone by the next agent, or by REVERT.sh alone (I5)', async () => {
    for (const means of ['agent', 'script']) {
      await arm({ id: `r${n}/${means}` })
      for (const holder of holders(pid)) process.kill(-holder, 'SIGKILL')
      // The agent sees its holder die and undoes the pause itself, so it is killed in the same breath.
      await node.crash()
      process.kill(-pid, 'SIGSTOP')
      node.server.report = null
      if (means === 'script') spawnSync(join(node.paths.faults, 'REVERT.sh'))
      else node.startAgent()
      await eventually(`undone by the ${means}`, 20_000, () => !isStopped(pid))
      expect(lives(pid)).toBe(true)
      if (means === 'script') node.startAgent()
      await eventually('the next agent', 20_000, () => node.server.report !== null)
    }
  })

  it('HALT takes everything back without the server and refuses what is new', async () => {
    await arm()
    node.server.stop()
    writeFileSync(join(node.paths.root, 'HALT'), '')
    // Within two seconds where a processor is free, and long before its lease of 10 s ends.
    await eventually('the task goes on', 5000, () => !isStopped(pid))
    await node.server.start()
    node.server.order([task], [order('legion.pause', { id: `r${n}/2` })])
    await eventually('an answer', 20_000, () => report(`r${n}/2`) !== undefined)
    expect(report(`r${n}/2`)).toMatchObject({ state: 'failed', message: 'halted' })
    expect(isStopped(pid)).toBe(false)
    rmSync(join(node.paths.root, 'HALT'))
  })

  it('a pause ends when its run is not renewed, and at its hard end (I5)', async () => {
    node.server.go = []
    await arm({ leaseMs: 400 })
    await eventually('reverted', 20_000, () => report()?.state === 'reverted')
    expect(report()?.message).toBe('by lease')
    node.server.go = [{ run: `r${n}`, validMs: 5000 }]
    // A lease that outlasts it, so that on a busy machine a late renewal is not what ends it.
    await arm({ id: `r${n}/2`, untilMs: Date.now() + 900, leaseMs: 2000 })
    await eventually('reverted', 20_000, () => report(`r${n}/2`)?.state === 'reverted')
    expect(['by deadline', 'by holder ended']).toContain(report(`r${n}/2`)?.message)
    expect(isStopped(pid)).toBe(false)
  })

  it('a kill strikes the process once, never a later incarnation or again after an agent restart', async () => {
    node.server.order([task], [order('legion.kill', { incarnation: 2 })])
    await eventually('refused', 20_000, () => report()?.state === 'failed')
    expect(lives(pid)).toBe(true)
    node.server.order([task], [order('legion.kill', { id: `r${n}/2` })])
    const next = await node.until(n, (one) => one.restarts === 1 && one.state === 'running')
    expect(lives(pid)).toBe(false)
    await eventually('counted', 20_000, () => report(`r${n}/2`)?.effect === 1)
    await node.crash()
    node.startAgent()
    node.server.report = null
    await node.until(n, (one) => one.state === 'running')
    await sleep(300)
    expect(node.server.task(n)).toMatchObject({ pid: next.pid, restarts: 1 })
  })

  it('an unknown fault, or one whose task is not here, fails with the reason', async () => {
    node.server.order([task], [order('storm.loss')])
    await eventually('refused', 20_000, () => report()?.state === 'failed')
    expect(report()?.message).toContain('no driver for storm.loss')
    expect(existsSync(join(node.paths.faults, `r${n}_1.json`))).toBe(false)
  })
})

/** Pause holders of a task: shells whose first argument is its pid. */
function holders(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`\0muster-pause\0${pid}\0`)
      } catch {
        return false
      }
    })
    .map(Number)
}
