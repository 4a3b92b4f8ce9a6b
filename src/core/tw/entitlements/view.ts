import type { ReadDb } from '../../contracts/storage.ts'
import { excess, NOTHING, plus, type Amounts } from './amounts.ts'
import { bufferAmounts, fleetAmounts } from './domains.ts'
import { charges, entitlements, type Entitlement } from './tables.ts'

export interface EntitlementView extends Entitlement {
  tasks: number
  used: Amounts
  /** taken by best-effort tasks, which count for nothing else */
  idle: Amounts
  /** all that is guaranteed still has room after the loss its buffer is for */
  isCovered: boolean
  /** what lacks when it is not, in words */
  lacking: string | null
}

/** Every owner by name, or one. */
export function entitlementViews(db: ReadDb, name?: string): EntitlementView[] {
  const all = entitlements(db)
  const taken = charges(db)
  const guaranteed = all.reduce((sum, it) => plus(sum, it.guaranteed), NOTHING)
  const total = fleetAmounts(db)
  return all
    .filter((it) => name === undefined || it.name === name)
    .map((it) => {
      const own = taken.filter(({ owner }) => owner === it.name)
      const lacking = excess(guaranteed, plus(total, bufferAmounts(db, [it.buffer]), -1), guaranteed)
      return {
        ...it,
        tasks: own.reduce((sum, { tasks }) => sum + tasks, 0),
        used: own.find(({ isIdle }) => !isIdle)?.used ?? NOTHING,
        idle: own.find(({ isIdle }) => isIdle)?.used ?? NOTHING,
        isCovered: lacking === null,
        lacking,
      }
    })
}
