import type { ReadDb } from '../../contracts/storage.ts'
import { ANY_MODEL, excess, larger, NOTHING, plus, type Amounts } from './amounts.ts'
import { bufferAmounts, fleetAmounts } from './domains.ts'
import { charges, entitlements, type Entitlement, type TaskCharge } from './tables.ts'

/** What may be placed now by whom. It is counted down as tasks are taken, so that one serves many groups in turn. */
export interface Allowance {
  /** So many of `n` more such tasks may be placed, and what holds the first that may not; null when all may. */
  take: (task: TaskCharge, n: number) => { granted: number; refusal: Refusal | null }
  /** Of those that were granted so many found no place. */
  giveBack: (task: TaskCharge, n: number) => void
}

/** Why an owner may not place one more task. */
export interface Refusal {
  why: string
  /** by the owner's own quota; else nothing is left of what is for everybody */
  isAtQuota: boolean
}

const UNLIMITED: Allowance = { take: (_task, n) => ({ granted: n, refusal: null }), giveBack: () => undefined }

/** What the rules are judged by: all amounts of the whole fleet. */
export interface Capacity {
  total: Amounts
  /** what goes with the largest domain that somebody is guaranteed against */
  buffer: Amounts
  entitlements: readonly Pick<Entitlement, 'name' | 'guaranteed' | 'quota'>[]
  /** owner → what its tasks take, without best-effort ones */
  used: ReadonlyMap<string, Amounts>
}

/** Of the state as it is. Where nobody has an entitlement nothing is held. */
export function allowanceOf(db: ReadDb): Allowance {
  const owned = entitlements(db)
  if (owned.length === 0) return UNLIMITED
  return newAllowance({
    total: fleetAmounts(db),
    buffer: bufferAmounts(
      db,
      owned.map((it) => it.buffer),
    ),
    entitlements: owned,
    used: new Map(charges(db).flatMap((it) => (it.isIdle ? [] : [[it.owner, it.used] as const]))),
  })
}

/**
 * Three rules. Best-effort tasks use what is idle: nothing here holds them, they go when others need the room. Within what it is guaranteed
 * and below its quota an owner is never held. Beyond that, as without an entitlement, a task takes of the shared rest: what nobody is
 * guaranteed and what is not kept for the loss of the largest domain. So the guaranteed finds its room, also after that loss.
 */
export function newAllowance({ total, buffer, entitlements: owned, used: before }: Capacity): Allowance {
  const used = new Map(before)
  const byName = new Map(owned.map((it) => [it.name, it]))
  /** what is guaranteed, or more where more is taken, over all owners, and what is taken without an entitlement */
  let committed = [...new Set([...byName.keys(), ...used.keys()])].reduce(
    (sum, owner) => plus(sum, larger(byName.get(owner)?.guaranteed ?? NOTHING, used.get(owner) ?? NOTHING)),
    NOTHING,
  )
  const open = plus(total, buffer, -1)
  const limits = { ...open, gpus: { ...open.gpus, [ANY_MODEL]: Object.values(open.gpus).reduce((sum, n) => sum + n, 0) } }

  const move = (task: TaskCharge, times: number): { after: Amounts; committedAfter: Amounts; grown: Amounts } => {
    const guaranteed = byName.get(task.owner)?.guaranteed ?? NOTHING
    const now = used.get(task.owner) ?? NOTHING
    const after = plus(now, task.each, times)
    const grown = plus(larger(guaranteed, after), larger(guaranteed, now), -1)
    return { after, committedAfter: plus(committed, grown), grown }
  }
  const refusalOf = (task: TaskCharge, step: ReturnType<typeof move>): Refusal | null => {
    const quota = byName.get(task.owner)?.quota ?? null
    const over = quota === null ? null : excess(step.after, quota, task.each)
    if (over !== null) return { why: `${task.owner} is at its quota: one more would take ${over}`, isAtQuota: true }
    const beyond = excess(step.committedAfter, limits, step.grown)
    if (beyond === null) return null
    const whose = task.owner === '' ? 'without an entitlement' : `beyond what ${task.owner} is guaranteed`
    const why = `no shared capacity is left ${whose}: the rest is guaranteed to others or kept for the loss of a domain (one more: ${beyond})`
    return { why, isAtQuota: false }
  }
  return {
    take: (task, n) => {
      if (task.isIdle) return { granted: n, refusal: null }
      for (let granted = 0; granted < n; granted += 1) {
        const step = move(task, 1)
        const refusal = refusalOf(task, step)
        if (refusal !== null) return { granted, refusal }
        used.set(task.owner, step.after)
        committed = step.committedAfter
      }
      return { granted: n, refusal: null }
    },
    giveBack: (task, n) => {
      if (task.isIdle || n === 0) return
      const step = move(task, -n)
      used.set(task.owner, step.after)
      committed = step.committedAfter
    },
  }
}
