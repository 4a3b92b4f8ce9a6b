import type { Controller, Effect } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { drainFinished, drainStarted } from '../entries/drains.ts'
import {
  maintenanceAborted,
  maintenanceFinished,
  maintenanceOverdue,
  maintenanceStarted,
  maintenanceStepped,
} from '../entries/maintenance.ts'
import { domainOf } from '../maintenance/domain.ts'
import { isOver, isUnderWay, openMaintenance, workRows, type MaintenanceRow, type WorkRow, type WorkState } from '../maintenance/rows.ts'
import { windowOf } from '../maintenance/window.ts'
import { homeless } from '../ops/homeless.ts'
import { fromJson, nodeRow, type DrainRow } from '../rows.ts'
import { plannersImage, type TwSoft } from '../soft.ts'
import { earliest } from './wake.ts'

/** What does not fit, and a time zone that nobody knows, is looked at again after this. */
const LOOK_AGAIN_MS = 10_000

/** What `kind: command` runs on a node, once. */
export interface MaintainBody {
  maintenance: number
  node: string
  command: string[]
  timeoutMs: number
}

/**
 * Takes nodes for planned work, one domain at a time: in its window, when what runs there fits elsewhere, drained first and given back
 * after. Who works by hand is waited for: another boot of the machine says that it was done.
 */
export const maintainer: Controller<TwSoft> = {
  name: 'tw.maintenance',
  wakes: ['tw.Maintenance', 'tw.Drain', 'tw.Node'],
  decide: (db, now, soft) => {
    const entries: Proposal[] = []
    const wakes: (number | null)[] = []
    const open = openMaintenance(db).map((row) => ({ row, works: workRows(db, row.id) }))
    const busy = open.flatMap(({ row, works }) => works.filter(isUnderWay).map((work) => ({ row, work })))
    for (const { row, works } of open) {
      const failed = works.find((work) => work.state === 'aborted')
      if (failed) {
        entries.push(...abortEntries(db, row, works, `${failed.node}: ${failed.why}`))
        continue
      }
      if (works.every(isOver)) {
        entries.push(maintenanceFinished.of({ maintenance: row.id }))
        continue
      }
      for (const work of works.filter(isUnderWay)) {
        entries.push(...stepOf(db, row, work))
        if (work.deadline_at === null || work.is_overdue) continue
        if (work.deadline_at <= now) entries.push(maintenanceOverdue.of({ maintenance: row.id, node: work.node, state: work.state }))
        else wakes.push(work.deadline_at)
      }
      wakes.push(begin(db, row, works, busy, soft, now, entries))
    }
    return { entries, wakeAt: earliest(wakes) }
  },
  effects: (db) =>
    openMaintenance(db)
      .filter((row) => row.command !== null)
      .flatMap((row) => workRows(db, row.id).flatMap((work): Effect[] => (work.state === 'working' ? [effectOf(row, work)] : []))),
}

function effectOf(row: MaintenanceRow, work: WorkRow): Effect {
  const body: MaintainBody = {
    maintenance: row.id,
    node: work.node,
    command: fromJson<string[]>(row.command ?? '[]'),
    timeoutMs: row.command_timeout_ms,
  }
  return { key: `tw.maintain:${row.id}:${work.node}`, kind: 'tw.maintain', body }
}

/** Gives the work up: what is only being drained goes back into service, what somebody works on stays out of it. */
export function abortEntries(db: ReadDb, row: MaintenanceRow, works: readonly WorkRow[], why: string): Proposal[] {
  const back = works.filter((work) => work.state === 'draining' && drainOf(db, row, work) !== undefined)
  return [
    maintenanceAborted.of({ maintenance: row.id, why }),
    ...back.map((work) => drainFinished.of({ node: work.node, isComplete: false })),
  ]
}

function drainOf(db: ReadDb, row: MaintenanceRow, work: WorkRow): DrainRow | undefined {
  return db.get<DrainRow>('SELECT * FROM tw_drain WHERE node = ? AND maintenance = ?', work.node, row.id)
}

function stepOf(db: ReadDb, row: MaintenanceRow, work: WorkRow): Proposal[] {
  const to = (state: WorkState, why = ''): Proposal[] =>
    state === work.state && why === work.why ? [] : [maintenanceStepped.of({ maintenance: row.id, node: work.node, state, why })]
  const node = nodeRow(db, work.node)
  switch (work.state) {
    case 'draining': {
      const drain = drainOf(db, row, work)
      if (drain === undefined) return to('aborted', 'its drain was called off')
      return drain.finished_at === null ? [] : to('ready')
    }
    case 'ready':
      return to('working', row.command === null ? `somebody to ${WORK_WORDS[row.kind]}` : 'its command')
    case 'working':
      return row.command === null && node !== undefined && node.state === 'ready' && node.boot_id !== work.boot_id ? to('verifying') : []
    case 'verifying': {
      const kernel = node === undefined ? '' : (fromJson<Record<string, string>>(node.attributes)['kernel'] ?? '')
      if (node?.state !== 'ready') return to('verifying', 'its agent')
      if (row.kind === 'kernel' && kernel === work.kernel) return to('verifying', `another kernel than ${kernel}`)
      const back = work.was_cordoned ? [] : [drainFinished.of({ node: work.node, isComplete: false })]
      return [...to('returned'), ...back]
    }
    default:
      return []
  }
}

const WORK_WORDS = {
  reboot: 'reboot it',
  kernel: 'boot it with another kernel',
  power: 'switch it off and on',
  command: 'run the command',
} as const

/** Takes nodes that may be worked on now. Gives when to look again. */
function begin(
  db: ReadDb,
  row: MaintenanceRow,
  works: readonly WorkRow[],
  busy: { row: MaintenanceRow; work: WorkRow }[],
  soft: TwSoft,
  now: number,
  entries: Proposal[],
): number | null {
  const waiting = works.filter((work) => work.state === 'scheduled' || work.state === 'checking')
  const [first] = waiting
  if (first === undefined) return null
  // There may be thousands, which wait for the same or behind it: only of the first one it is said.
  let isSaid = false
  const wait = (work: WorkRow, state: WorkState, why: string): void => {
    if (!isSaid && (work.state !== state || work.why !== why))
      entries.push(maintenanceStepped.of({ maintenance: row.id, node: work.node, state, why }))
    isSaid = true
  }
  // Without a window it may begin at any time.
  const window = row.window === null ? null : windowOf({ ...row, window: row.window, since: row.created_at }, soft, now)
  if (typeof window === 'string') {
    wait(first, 'scheduled', window)
    return now + LOOK_AGAIN_MS
  }
  if (window !== null && window.openAt > now) {
    wait(first, 'scheduled', 'its window')
    return window.openAt
  }
  const levels = busy.map((it) => ({ ...it, domain: domainOf(db, it.work.node, row.level) }))
  for (const work of waiting) {
    const other = levels.find((it) => isApart(db, work, it))
    if (other) wait(work, 'checking', `maintenance ${other.row.id} of ${other.work.domain}`)
    else if (busy.filter((it) => it.row.id === row.id && it.work.domain === work.domain).length >= row.max_concurrent)
      wait(work, 'checking', `its turn: ${row.max_concurrent} at once`)
    else {
      const without = homeless(db, plannersImage(db, soft), [work.node])
      if (without.length > 0) {
        wait(work, 'checking', `room elsewhere for ${without.join(', ')}`)
        break
      }
      const reason = row.note === '' ? `maintenance ${row.id}` : `maintenance ${row.id}: ${row.note}`
      const drain = {
        node: work.node,
        deadlineMs: row.deadline_ms,
        isForced: false,
        isHard: row.is_hard === 1,
        maintenance: row.id,
        reason,
      }
      entries.push(maintenanceStarted.of({ maintenance: row.id, node: work.node }), drainStarted.of(drain))
      busy.push({ row, work })
      // What this one needs elsewhere is known once it moves.
      break
    }
  }
  return Math.min(now + LOOK_AGAIN_MS, window?.closeAt ?? Infinity)
}

/** Whether the two are of different domains, at the level of either: such are never worked on at once. */
function isApart(db: ReadDb, work: WorkRow, other: { row: MaintenanceRow; work: WorkRow; domain: string }): boolean {
  return other.domain !== work.domain || domainOf(db, work.node, other.row.level) !== other.work.domain
}
