import type { ReadDb } from '../../contracts/storage.ts'
import { currentRange, leaseOf } from '../kv/read.ts'
import { rangeOf } from '../kv/range.ts'
import type { Kv } from '../schema.ts'

/*
 * A lock is a prefix. Who wants it puts `NAME/LEASE` under its lease (the layout of etcd's v3lock, so that its clients
 * contend for the same locks); the key with the lowest create_revision holds it, and that revision is its fencing
 * token: later holders have higher ones.
 */

export function lockKey(name: string, lease: string): string {
  return `${name}/${lease}`
}

const CONTENDERS_MAX = 10_000

/** Everyone who wants the lock, the holder first. */
export function contenders(db: ReadDb, name: string): Kv[] {
  return currentRange(db, rangeOf(`${name}/`, true), CONTENDERS_MAX)
    .filter((kv) => kv.lease !== null && kv.key === lockKey(name, kv.lease))
    .sort((a, b) => a.create_revision - b.create_revision)
}

export interface LockView {
  name: string
  /** create_revision of the holder's key */
  token: number
  key: string
  lease: string
  owner: string
  /** what the holder wrote, e.g. its host and process */
  value: string
  since: number
  waiting: { key: string; owner: string }[]
}

/** Every lock that is held, by name: keys whose last part is the lease they hang on. */
export function locks(db: ReadDb, prefix: string): LockView[] {
  const names = new Set<string>()
  for (const kv of currentRange(db, rangeOf(prefix, true), CONTENDERS_MAX)) {
    if (kv.lease !== null && kv.key.endsWith(`/${kv.lease}`)) names.add(kv.key.slice(0, -kv.lease.length - 1))
  }
  return [...names].sort().flatMap((name) => {
    const [holder, ...waiting] = contenders(db, name)
    if (holder === undefined || holder.lease === null) return []
    const lease = leaseOf(db, holder.lease)
    const owner = (kv: Kv): string => (kv.lease === null ? '' : (leaseOf(db, kv.lease)?.owner ?? ''))
    return [
      {
        name,
        token: holder.create_revision,
        key: holder.key,
        lease: holder.lease,
        owner: owner(holder),
        value: holder.value,
        since: lease?.grantedAt ?? 0,
        waiting: waiting.map((kv) => ({ key: kv.key, owner: owner(kv) })),
      },
    ]
  })
}
