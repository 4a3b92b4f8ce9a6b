import type { z } from 'zod'
import type { kvHistory } from '../../core/delos/operations.ts'
import { keyIn, kvView } from '../../core/delos/programs/text.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import type { ControlStore } from './control-store.ts'

/** The versions of a key that are kept; newest last. */
export function historyOf(
  { replica, oldest }: ControlStore,
  { key: text, isKeyBase64, limit }: z.output<typeof kvHistory.input>,
): z.output<typeof kvHistory.output> {
  const key = keyIn(text, isKeyBase64)
  if (isRefusal(key)) throw key
  const kept = replica.store.changesOfKey(key, oldest(), Number.POSITIVE_INFINITY)
  const versions = kept.slice(-limit).map((version) => ({
    type: version.isDeleted ? ('delete' as const) : ('put' as const),
    revision: version.mod_revision,
    kv: kvView(version),
  }))
  return { revision: replica.store.revision, oldest: oldest(), versions, more: kept.length > limit }
}
