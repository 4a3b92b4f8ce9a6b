import type { EntryDef, Proposal } from '../../src/core/contracts/entry.ts'
import type { ReadDb, Row } from '../../src/core/contracts/storage.ts'
import { drainFinished } from '../../src/core/tw/entries/drains.ts'
import { nodeLost } from '../../src/core/tw/entries/nodes.ts'
import { stopTask } from '../../src/core/tw/entries/tasks.ts'
import { nodeRow, type TaskRow } from '../../src/core/tw/rows.ts'
import { LOST_MS, type NodeBeat } from '../../src/core/tw/soft.ts'
import { FIRST_FINAL, STATES } from '../../src/core/tw/tasks/tables.ts'
import { allowing, applying, both, deciding, seen, type Planted } from '../planted.ts'
import type { Rules } from './rules.ts'

/** A defect planted at a border: around a controller or an entry of the real system, or in a rule of the simulated parts. */
export interface Mutant extends Planted {
  /** the state as an operation sees it when it is decided, by the operation's name */
  deciding?: Readonly<Record<string, (db: ReadDb) => ReadDb>>
  rules?: Partial<Rules>
}

/** Every planted defect, by what a reader would call it. */
export const TW_MUTANTS: Record<string, Mutant> = {
  'old-stopped-before-new': deciding('tw.reconcile', (decide) => (db, now, soft) => {
    const old = db.all<TaskRow>(
      `SELECT * FROM tw_task t WHERE is_terminal = 0 AND want = 'run'
        AND NOT EXISTS (SELECT 1 FROM tw_arm a WHERE a.job = t.job AND a.grp = t.grp AND a.version = t.version)`,
    )
    const stops: Proposal[] = old.length === 0 ? [] : [stopTask.of({ ids: old.map(({ id }) => id), cause: 'replaced' })]
    const verdict = decide(db, now, soft)
    return { ...verdict, entries: [...stops, ...verdict.entries] }
  }),
  'budget-ignores-the-sick': both(
    deciding('tw.reconcile', (decide) => (db, now, soft) => decide(seen(db, asWell), now, soft)),
    allowing((db) => seen(db, asWell)),
  ),
  'back-off-ignored': deciding(
    'tw.reconcile',
    (decide) => (db, now, soft) =>
      decide(
        seen(db, (row) => (row['state'] === 'failed' ? undefined : row)),
        now,
        soft,
      ),
  ),
  'wake-up-lost': deciding('tw.reconcile', (decide) => (db, now, soft) => ({ ...decide(db, now, soft), wakeAt: null })),
  'drained-before-gone': deciding('tw.drain', (decide) => (db, now, soft) => {
    const over = db.all<{ node: string }>(
      `SELECT node FROM tw_drain d WHERE finished_at IS NULL AND NOT EXISTS
        (SELECT 1 FROM tw_task t WHERE t.node = d.node AND t.is_terminal = 0 AND t.want = 'run')`,
    )
    const verdict = decide(db, now, soft)
    return over.length === 0 ? verdict : { ...verdict, entries: over.map(({ node }) => drainFinished.of({ node, isComplete: true })) }
  }),
  'lost-too-soon': deciding('tw.nodes', (decide) => (db, now, soft) => {
    const older = new Map([...soft.beats].map(([node, beat]) => [node, { ...ofBeat(beat), ageMs: beat.ageMs + 5000 }]))
    return decide(db, now, { ...soft, beats: older })
  }),
  'referee-blind-to-memory': applying('tw.TasksPlaced', (db) =>
    seen(db, (row) => ('memory_total' in row ? { ...row, memory_total: Number.MAX_SAFE_INTEGER } : row)),
  ),
  'ended-task-revived': applying('tw.TasksReported', (db) =>
    seen(db, (row) => (row['is_terminal'] === 1 ? { ...row, is_terminal: 0 } : row)),
  ),
  'referee-blind-to-cpu': applying('tw.TasksPlaced', (db) =>
    seen(db, (row) => ('cpu_total' in row ? { ...row, cpu_total: Number.MAX_SAFE_INTEGER } : row)),
  ),
  'referee-blind-to-disk': applying('tw.TasksPlaced', (db) =>
    seen(db, (row) => ('disk_total' in row ? { ...row, disk_total: Number.MAX_SAFE_INTEGER } : row)),
  ),
  'referee-blind-to-gpus': applying('tw.TasksPlaced', (db) => seen(db, (row) => ('disk_total' in row ? { ...row, gpus: '[]' } : row))),
  'plan-blind-to-others': { deciding: { 'tw.job.run': (db) => seen(db, withoutLoad) } },
  'domains-taken-for-one': deciding(
    'tw.maintenance',
    (decide) => (db, now, soft) =>
      decide(
        seen(db, (row) => ({ ...row, ...('rack' in row ? NOWHERE : {}), ...('domain' in row ? { domain: '' } : {}) })),
        now,
        soft,
      ),
  ),
  'window-ignored': deciding(
    'tw.maintenance',
    (decide) => (db, now, soft) =>
      decide(
        seen(db, (row) => ('window' in row ? { ...row, window: null } : row)),
        now,
        soft,
      ),
  ),
  'budget-forgotten': both(
    deciding('tw.reconcile', (decide) => (db, now, soft) => decide(seen(db, withoutTotal), now, soft)),
    allowing((db) => seen(db, withoutTotal)),
  ),
  'leader-like-any': {
    ...deciding('tw.reconcile', (decide) => (db, now, soft) => decide(seen(db, withoutLeader), now, soft)),
    deciding: { 'tw.op.answer': (db) => seen(db, withoutLeader) },
  },
  'never-overdue': deciding(
    'tw.reconcile',
    (decide) => (db, now, soft) =>
      decide(
        seen(db, (row) => ('was_healthy' in row ? { ...row, was_healthy: 1 } : row)),
        now,
        soft,
      ),
  ),
  'return-unnoticed': deciding('tw.nodes', (decide) => (db, now, soft) => {
    const verdict = decide(db, now, soft)
    return { ...verdict, entries: verdict.entries.filter(({ type }) => type !== 'tw.NodeReturned') }
  }),
  'mass-loss-believed': deciding('tw.nodes', (decide) => (db, now, soft) => {
    const silent = [...soft.beats].filter(([, { ageMs }]) => ageMs >= LOST_MS).map(([node]) => node)
    const ready = silent.filter((node) => nodeRow(db, node)?.state === 'ready')
    const verdict = decide(db, now, soft)
    return ready.length === 0 ? verdict : { ...verdict, entries: ready.map((node) => nodeLost.of({ node, silentMs: LOST_MS })) }
  }),
  'new-leader-impatient': deciding('tw.nodes', (decide) => (db, now, soft) => {
    const unheard = (beat: NodeBeat): NodeBeat => (beat.bootId === '' ? { ...ofBeat(beat), ageMs: 2 * LOST_MS, connected: false } : beat)
    return decide(db, now, { ...soft, beats: new Map([...soft.beats].map(([node, beat]) => [node, unheard(beat)])) })
  }),
  'apply-beside-the-log': applying('tw.TasksPlaced', (db) => {
    applied += 1
    db.run('UPDATE tw_group SET rejected_at = ?', applied)
    return db
  }),
  'late-report-taken': {
    rules: { knowsLateReports: false },
    system: (system) => ({
      ...system,
      entries: system.entries.map((it) =>
        it.type === 'tw.TasksReported'
          ? ({
              ...it,
              apply: (db, body, meta) => it.apply(db, { ...(body as object), instance: undefined, seq: undefined }, meta),
            } satisfies EntryDef)
          : it,
      ),
    }),
  },
  'stale-leader-writes': { rules: { isFenced: false } },
  'journal-not-read': { rules: { adopts: false } },
  'replaced-leader-obeyed': { rules: { refusesReplaced: false } },
  'unknown-left-running': { rules: { endsUnknown: false } },
  'restart-outlives-stop': { rules: { stopOutdatesRestart: false } },
  'stop-not-told': { rules: { tellsStops: false } },
  'report-wakes-nobody': { rules: { cacheSeesReports: false } },
}

function ofBeat({ ageMs, bootId, meshPosition, connected }: NodeBeat): NodeBeat {
  return { ageMs, bootId, meshPosition, connected }
}

/** Counts what was applied in this process, whatever the log says. */
let applied = 0

const FINAL: ReadonlySet<unknown> = new Set(STATES.slice(FIRST_FINAL))

/** Whoever is to run serves, whatever it is. */
function asWell(row: Row): Row {
  const isActive = row['want'] === 'run' && 'healthy_since' in row && !FINAL.has(row['state'])
  return isActive ? { ...row, state: 'running', health: 'healthy', healthy_since: 0 } : row
}

const NOWHERE = { rack: '', zone: '', region: '' }

/** Nodes as if nothing were on them. */
function withoutLoad(row: Row): Row {
  return 'tasks' in row && 'memory_bytes' in row ? { ...row, cpu_milli: 0, memory_bytes: 0, disk_bytes: 0, gpus: '[]' } : row
}

/** Its group lets anybody go last. */
function withoutLeader(row: Row): Row {
  return typeof row['spec'] === 'string' ? { ...row, spec: row['spec'].replaceAll('"leader-last"', '"any"') } : row
}

/** Of one wanted task, every other is to spare. */
function withoutTotal(row: Row): Row {
  return 'arm' in row && 'count' in row ? { ...row, count: 1 } : row
}
