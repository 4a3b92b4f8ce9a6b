import type { CompactionResponse } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { KV_ERRORS } from './errors.ts'
import { header, type KvState } from './state.ts'
import { bytesOf, type KeyHistory } from './version.ts'

/**
 * Forbids reading below a revision, at once. What is thrown away by that goes in `compactStep`s, which differ from server to
 * server; nothing that can be asked shows how far they are.
 */
export function compact(state: KvState, revision: number): CompactionResponse | RpcError {
  if (revision <= state.compactRevision) return KV_ERRORS.compacted
  if (revision > state.revision) return KV_ERRORS.futureRevision
  // A tombstone at the old compacted revision was kept for watches and goes now.
  state.compactPlace = Math.min(state.compactPlace, state.journal.placeOf(state.compactRevision))
  state.compactRevision = revision
  return { header: header(state.revision) }
}

/** Throws away at most `budget` versions or looks at as many keys. @returns whether there is more to do */
export function compactStep(state: KvState, budget: number): boolean {
  const { journal } = state
  for (const { revision } of state.pins) if (revision < state.compactRevision) return true
  let left = budget
  while (left > 0) {
    const version = journal.at(state.compactPlace)
    if (version === undefined || version.mod_revision > state.compactRevision) {
      journal.dropTo(journal.placeOf(state.compactRevision))
      state.compactPlace = journal.start
      return false
    }
    const history = state.index.get(version.key)
    const trimmed = history === undefined ? 0 : trim(state, history, left)
    if (trimmed === left) return true
    left -= trimmed + 1
    state.compactPlace += 1
  }
  return true
}

/** Throws away the oldest versions of a key that are not kept, at most `budget`. @returns how many */
function trim(state: KvState, history: KeyHistory, budget: number): number {
  const { versions } = history
  const { isKept } = state.options.rules
  let count = 0
  while (count < budget) {
    const version = versions[count]
    if (version === undefined || isKept(version, versions[count + 1], state.compactRevision)) break
    state.sizeBytes -= bytesOf(version)
    state.changes.removed.push(version)
    count += 1
  }
  if (count === versions.length) state.index.remove(history.key)
  else if (count > 0) versions.splice(0, count)
  return count
}
