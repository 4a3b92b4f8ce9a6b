import type { Proposal } from '../../src/core/contracts/entry.ts'
import type { Db, Row } from '../../src/core/contracts/storage.ts'
import { stopTask } from '../../src/core/tw/entries/tasks.ts'
import type { ConsentAsk } from '../../src/core/tw/queries.ts'
import { allowing, applying, both, deciding, seen, type Planted } from '../planted.ts'

/** A planted defect; `told`: what an application is told instead. */
export interface ControlMutant extends Planted {
  told?: (request: ConsentAsk['request']) => ConsentAsk['request']
}

/** Every planted defect, by what a reader would call it. */
export const CONTROL_MUTANTS: Record<string, ControlMutant> = {
  /** old tasks are stopped before the new ones serve */
  'stops-old-first': saying('tw.reconcile', (proposal) => {
    if (proposal.type !== 'tw.OpsProposed') return [proposal]
    const { ops } = proposal.body as { ops: { task: number }[] }
    return [proposal, stopTask.of({ ids: ops.map((op) => op.task), cause: 'planted' })]
  }),
  'budget-forgotten': reconciling((row) => withGroups(row, { maxUnavailable: { ppm: 1_000_000 } })),
  'young-counted-in': reconciling((row) => withGroups(row, { minHealthyMs: 0 })),
  'consent-not-awaited': reconciling((row) => ('is_consented' in row ? { ...row, is_consented: 1 } : row)),
  'surge-without-end': both(
    reconciling((row) => withGroups(row, { maxSurge: { ppm: 3_000_000 } })),
    applying('tw.TasksPlaced', (db) => seen(db, (row) => withGroups(row, { maxSurge: { ppm: 3_000_000 } }))),
  ),
  'cpu-not-counted': both(
    deciding(
      'tw.reconcile',
      (decide) => (db, now, soft) =>
        decide(
          seen(db, (row) => ('boot_id' in row ? more(row) : row)),
          now,
          soft,
        ),
    ),
    applying('tw.TasksPlaced', (db) => seen(db, (row) => ('cpu_total' in row ? { ...row, cpu_total: 1e9 } : row))),
  ),
  'arms-outlive-their-job': both(
    applying('tw.JobStopped', (db) => without(db, 'UPDATE tw_arm')),
    applying('tw.TasksPlaced', (db) => seen(db, (row) => ('last_version' in row ? { ...row, state: 'running' } : row))),
  ),
  'domains-taken-for-one': deciding(
    'tw.maintenance',
    (decide) => (db, now, soft) =>
      decide(
        seen(db, (row) => ({
          ...row,
          ...('domain' in row ? { domain: '' } : {}),
          ...('rack' in row ? { rack: '', zone: '', region: '' } : {}),
        })),
        now,
        soft,
      ),
  ),
  'more-at-once': deciding(
    'tw.maintenance',
    (decide) => (db, now, soft) =>
      decide(
        seen(db, (row) => ('max_concurrent' in row ? { ...row, max_concurrent: 9 } : row)),
        now,
        soft,
      ),
  ),
  'put-off-is-hidden': {
    told: (request) => ({ ...request, pending: request.pending.filter((op) => op.delayed === null) }),
  },
  'ops-never-end': applying('tw.OpFinished', (db) => without(db, 'UPDATE tw_op')),
  'deadline-sleeps': deciding('tw.reconcile', (decide) => (db, now, soft) => ({ ...decide(db, now, soft), wakeAt: null })),
  'nobody-wakes-the-drain': {
    system: (system) => ({
      ...system,
      controllers: system.controllers.map((it) => (it.name === 'tw.drain' ? { ...it, wakes: ['tw.DrainStarted'] } : it)),
    }),
  },
}

/** The system with a controller each of whose proposals is rewritten. */
function saying(name: string, rewrite: (proposal: Proposal) => Proposal[]): Planted {
  return deciding(name, (decide) => (db, now, soft) => {
    const verdict = decide(db, now, soft)
    return { ...verdict, entries: verdict.entries.flatMap(rewrite) }
  })
}

/** The system whose reconciler and referee of budgets are wrong about some rows in the same way. */
function reconciling(change: (row: Row) => Row): Planted {
  return both(
    deciding('tw.reconcile', (decide) => (db, now, soft) => decide(seen(db, change), now, soft)),
    allowing((db) => seen(db, change)),
  )
}

/** A version's row whose groups have other limits. */
function withGroups(row: Row, change: object): Row {
  if (!('spec' in row)) return row
  const spec = JSON.parse(String(row['spec'])) as { groups: object[] }
  return { ...row, spec: JSON.stringify({ ...spec, groups: spec.groups.map((group) => ({ ...group, ...change })) }) }
}

function more(row: Row): Row {
  return { ...row, cpu_milli: 1e9 }
}

/** The state as somebody writes it who leaves one kind of statement out. */
function without(db: Db, statement: string): Db {
  return { ...db, run: (sql, ...params) => (sql.includes(statement) ? 0 : db.run(sql, ...params)) }
}
