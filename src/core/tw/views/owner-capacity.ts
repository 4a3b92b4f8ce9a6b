import type { ReadDb } from '../../contracts/storage.ts'
import { larger, NOTHING, plus, type Amounts as Owned, type Limits } from '../entitlements/amounts.ts'
import { bufferAmounts, fleetAmounts } from '../entitlements/domains.ts'
import { charges, entitlements } from '../entitlements/tables.ts'
import type { Amounts, Capacity } from './capacity.ts'

/** What nobody is guaranteed. */
const SHARED = 'shared'

/**
 * Capacity by whom it is for: of each owner what is guaranteed (total), the most it may take (allocatable: its quota, at most the fleet)
 * and what it takes (reserved); of the shared rest what is beyond all guarantees, what of that is not kept for the loss of a domain, and
 * what is taken of it, also by owners beyond theirs and by best-effort tasks. These are no nodes: nothing of it is stranded or the largest.
 */
export function ownerCapacity(db: ReadDb): Capacity[] {
  const fleet = fleetAmounts(db)
  const taken = charges(db)
  const sum = (list: readonly Owned[]): Owned => list.reduce((total, it) => plus(total, it), NOTHING)
  const owners = entitlements(db).map((it) => ({
    ...it,
    used: taken.find(({ owner, isIdle }) => owner === it.name && !isIdle)?.used ?? NOTHING,
  }))
  const guaranteed = sum(owners.map((it) => it.guaranteed))
  // Of what an owner takes, as much as it is guaranteed is its own.
  const own = sum(owners.map((it) => plus(plus(it.used, it.guaranteed), larger(it.used, it.guaranteed), -1)))
  const rest = larger(plus(fleet, guaranteed, -1), NOTHING)
  const kept = bufferAmounts(
    db,
    owners.map(({ buffer }) => buffer),
  )
  return [
    ...owners.map(({ name, guaranteed: total, quota, used }) => {
      return partOf(name, total, mostOf(quota, fleet), used)
    }),
    partOf(SHARED, rest, larger(plus(rest, kept, -1), NOTHING), plus(sum(taken.map(({ used }) => used)), own, -1)),
  ]
}

/** What a quota allows of the fleet. */
function mostOf(quota: Limits | null, fleet: Owned): Owned {
  return {
    cpuMilli: Math.min(quota?.cpuMilli ?? fleet.cpuMilli, fleet.cpuMilli),
    memoryBytes: Math.min(quota?.memoryBytes ?? fleet.memoryBytes, fleet.memoryBytes),
    gpus: Object.fromEntries(Object.entries(fleet.gpus).map(([model, milli]) => [model, Math.min(quota?.gpus[model] ?? milli, milli)])),
  }
}

function partOf(of: string, total: Owned, allocatable: Owned, reserved: Owned): Capacity {
  const stranded = { cpuMilli: 0, memoryBytes: 0 }
  return { of, nodes: 0, total: amounts(total), allocatable: amounts(allocatable), reserved: amounts(reserved), stranded, largest: null }
}

function amounts({ cpuMilli, memoryBytes, gpus }: Owned): Amounts {
  return { cpuMilli, memoryBytes, diskBytes: 0, gpuMilli: Object.values(gpus).reduce((total, milli) => total + milli, 0) }
}
