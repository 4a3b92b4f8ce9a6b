import type { FaultOrder } from '../contracts/fault.ts'
import type { FaultReport } from '../contracts/node.ts'
import type { Proposal } from '../contracts/entry.ts'
import type { ReadDb } from '../contracts/storage.ts'
import { faultArmed, faultFailed, faultLeaked, faultReverted } from './machine.ts'
import { isEnded, type FaultRow } from './rows.ts'

/** Read side of chaos: what the server may look at. */
export { experimentOf, faultsOf, liveRuns, planOf, type RunRow } from './rows.ts'
export { experimentJsonSchema } from './schema.ts'
export { checksOf, type Check } from './spec/checks.ts'
export type { RunView } from './views.ts'

/** What a node is to carry out or take back, whole. */
export function faultOrders(db: ReadDb, node: string): FaultOrder[] {
  return db
    .all<FaultRow>(
      "SELECT * FROM chaos_fault WHERE node = ? AND backend = 'node' AND state IN ('arming', 'armed', 'reverting') ORDER BY run, n",
      node,
    )
    .map((fault) => ({
      id: fault.id,
      run: fault.run,
      fault: fault.fault,
      task: fault.task ?? 0,
      incarnation: fault.incarnation ?? 0,
      arguments: JSON.parse(fault.arguments) as Record<string, string | number>,
      untilMs: fault.until_ms,
      leaseMs: fault.lease_ms,
      want: fault.state === 'reverting' ? 'reverted' : 'armed',
    }))
}

/** The facts in what a node reports: one entry for each fault whose state it knows better than we. */
export function reportedFaults(db: ReadDb, node: string, reports: readonly FaultReport[]): Proposal[] {
  return reports.flatMap((report): Proposal[] => {
    const row = db.get<FaultRow>('SELECT * FROM chaos_fault WHERE id = ?', report.id)
    if (!row || row.node !== node || isEnded(row)) return []
    const about = { run: row.run, fault: row.id }
    switch (report.state) {
      case 'armed':
        return row.state === 'arming' ? [faultArmed.of({ ...about, effect: report.effect })] : []
      case 'failed':
        return [faultFailed.of({ ...about, message: report.message })]
      case 'reverted':
        return [faultReverted.of({ ...about, by: report.message || 'order', effect: report.effect })]
      case 'leaked':
        return [faultLeaked.of({ ...about, message: report.message })]
    }
  })
}
