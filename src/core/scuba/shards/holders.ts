import type { ReadDb } from '../../contracts/storage.ts'
import { planReplicas, type Holder } from './replicas.ts'

/** A leaf as the log knows it. */
export interface KnownLeaf extends Holder {
  /** to whom it gives what it has, how far that is, and the position of the entry that said so; null: it stays */
  leaving: { to: string; phase: 'copying' | 'draining'; position: number } | null
}

/** Every leaf the log knows, as a place for copies. */
export function holders(db: ReadDb): KnownLeaf[] {
  return db
    .all<
      Omit<Holder, 'isLost'> & {
        state: string
        leaving: 'copying' | 'draining' | null
        leaving_to: string
        leaving_position: number
      }
    >('SELECT id, address, node, server, state, leaving, leaving_to, leaving_position FROM scuba_leaf ORDER BY id')
    .map(({ state, leaving, leaving_to: to, leaving_position: position, ...leaf }) => ({
      ...leaf,
      isLost: state === 'lost',
      leaving: leaving === null ? null : { to, phase: leaving, position },
    }))
}

/** Those that may hold copies from now on. */
export const staying = (leaves: readonly KnownLeaf[]): KnownLeaf[] => leaves.filter(({ leaving }) => leaving === null)

/** In words, which leaves have too few others for that many copies in all; null: none. */
export function tooFewHolders(db: ReadDb, replicas: number): string | null {
  const leaves = staying(holders(db)).filter(({ isLost }) => !isLost)
  const short = leaves.filter((leaf) => planReplicas(leaf, leaves, [], replicas - 1).length < replicas - 1)
  if (replicas < 2 || (short.length === 0 && leaves.length > 0)) return null
  const names = short.map(({ id }) => id).join(', ')
  return `rows are refused by ${names || 'every leaf'} until more leaves have joined that can hold their copies, unless they are sent with --ack fsync`
}
