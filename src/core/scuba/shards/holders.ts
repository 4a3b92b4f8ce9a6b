import type { ReadDb } from '../../contracts/storage.ts'
import { planReplicas, type Holder } from './replicas.ts'

/** Every leaf the log knows, as a place for copies. */
export function holders(db: ReadDb): Holder[] {
  return db
    .all<{ id: string; address: string | null; node: string | null; state: string }>(
      'SELECT id, address, node, state FROM scuba_leaf ORDER BY id',
    )
    .map(({ state, ...leaf }) => ({ ...leaf, isLost: state === 'lost' }))
}

/** In words, which leaves have too few others for that many copies in all; null: none. */
export function tooFewHolders(db: ReadDb, replicas: number): string | null {
  const leaves = holders(db).filter(({ isLost }) => !isLost)
  const short = leaves.filter((leaf) => planReplicas(leaf, leaves, [], replicas - 1).length < replicas - 1)
  if (replicas < 2 || (short.length === 0 && leaves.length > 0)) return null
  const names = short.map(({ id }) => id).join(', ')
  return `rows are refused by ${names || 'every leaf'} until more leaves have joined that can hold their copies, unless they are sent with --ack fsync`
}
