import type * as m from '../wire/messages.ts'
import type { PlanRow } from './program.ts'
import { keyText, kvView, leaseText, textOut } from './text.ts'

/** A key's row in a plan: as it is, and as a put at a revision would leave it. */
export function putRow(before: m.KeyValue | null, put: { key: m.Key; value: Uint8Array; lease: bigint }, revision: number): PlanRow {
  const { text } = textOut(put.value)
  const after = {
    key: keyText(put.key),
    value: text,
    version: (before?.version ?? 0) + 1,
    lease: put.lease === 0n ? null : leaseText(put.lease),
    mod_revision: revision,
  }
  return { table: 'kv', op: before === null ? 'insert' : 'update', before: before === null ? null : rowOf(before), after }
}

export function deletedRow(kv: m.KeyValue): PlanRow {
  return { table: 'kv', op: 'delete', before: rowOf(kv), after: null }
}

/** Its mod_revision makes it another row after every change, whatever it was changed to. */
function rowOf(kv: m.KeyValue): Record<string, unknown> {
  const { key, value, version, lease, mod_revision: modified } = kvView(kv)
  return { key, value, version, lease, mod_revision: modified }
}
