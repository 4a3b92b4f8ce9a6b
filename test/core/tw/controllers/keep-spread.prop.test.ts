import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keepSpread } from '../../../../src/core/tw/controllers/keep-spread.ts'
import type { OpRow } from '../../../../src/core/tw/ops/op-row.ts'
import type { ArmRow, TaskRow } from '../../../../src/core/tw/rows.ts'

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5']
const regionOf = (node: string): string => (node < 'n3' ? 'eu' : 'us')
const arm = (count: number): ArmRow => ({ job: 'j', grp: 'g', arm: 'primary', version: 1, count })
const view = { regionOf, specs: new Map(), away: new Map() }

function taskOf(idx: number, node: string, isReady: boolean): TaskRow {
  return { id: 100 + idx, idx, node, version: 1, state: 'running', health: isReady ? 'healthy' : 'starting', want: 'run' } as TaskRow
}

/** The words of its comment, one task after the other. */
function oneByOne(tasks: readonly TaskRow[], count: number, proposed: ReadonlySet<number>): number[] {
  const kept: TaskRow[] = []
  const rest = [...tasks]
  while (kept.length < count && rest.length > 0) {
    const cost = (task: TaskRow): number[] => [
      task.health === 'healthy' ? 0 : 1,
      proposed.has(task.id) ? 1 : 0,
      kept.filter((it) => regionOf(it.node) === regionOf(task.node)).length,
      kept.filter((it) => it.node === task.node).length,
      task.idx,
    ]
    rest.sort((a, b) => cost(a).reduce((sign, it, i) => sign || it - (cost(b)[i] ?? 0), 0))
    kept.push(...rest.splice(0, 1))
  }
  return kept.map((task) => task.id)
}

describe('the tasks an arm keeps', () => {
  test('are each the best of those left, by service, by proposal, and by how even regions and nodes are then', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ node: fc.constantFrom(...NODES), isReady: fc.boolean(), isProposed: fc.boolean() }), { maxLength: 14 }),
        fc.integer({ min: 0, max: 14 }),
        (drawn, count) => {
          const tasks = drawn.map(({ node, isReady }, idx) => taskOf(idx, node, isReady))
          const proposed = new Set(tasks.filter((_, idx) => drawn[idx]?.isProposed).map((task) => task.id))
          const opOf = new Map([...proposed].map((id) => [id, { task: id, state: 'proposed', kind: 'update' } as OpRow]))
          const kept = keepSpread(tasks, arm(count), view, opOf).map((task) => task.id)
          if (tasks.length <= count) expect(kept.length).toBe(tasks.length)
          else expect(kept).toEqual(oneByOne(tasks, count, proposed))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('of twenty thousand are found in a moment', () => {
    const tasks = Array.from({ length: 20_000 }, (_, idx) => taskOf(idx, NODES[idx % 5] ?? '', true))
    const startedAt = performance.now()
    expect(keepSpread(tasks, arm(19_000), view, new Map()).length).toBe(19_000)
    // One after the other it took minutes.
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })

  test('may be more than a call takes arguments', () => {
    const tasks = Array.from({ length: 200_000 }, (_, idx) => taskOf(idx, NODES[idx % 5] ?? '', true))
    expect(keepSpread(tasks, arm(199_999), view, new Map()).length).toBe(199_999)
  })
})
