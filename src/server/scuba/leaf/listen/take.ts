import type { MusterError } from '../../../../core/kernel/errors.ts'
import type { Receipt } from '../../../../core/scuba/wire-types.ts'
import { isAdded, passRows, type MadeRows } from '../../aggregate/pass-rows.ts'
import type { Routing } from '../../aggregate/route.ts'
import type { Admission } from '../quotas.ts'
import type { Decoders } from './decoders.ts'

/** What every way in needs of the leaf. */
export interface Intake extends Routing {
  decoders: Decoders
}

/**
 * Rows that were decoded here, on their way into the store of the leaf they belong to, durable when it resolves. `key`: the same key with the same
 * rows is added once.
 * @param admission of what they came as, if it was asked for before they were decoded
 * @throws SCUBA_QUOTA, and what the store refuses with
 * @returns null: there were none, or they had been added before
 */
export async function take(
  intake: Omit<Intake, 'decoders'>,
  rows: MadeRows,
  key: string | null,
  admission?: Admission,
): Promise<Receipt | null> {
  if (rows.body.length === 0) return null
  const admitted = admission ?? intake.store.quotas.admit(rows.table, null, rows.body.length)
  const passed = passRows(intake, rows, key, async (body, own) => {
    try {
      const ack = intake.store.ackOf(rows.table)
      const receipt = await intake.store.ingest(rows.table, body, { key: own, ack, sender: rows.sender })
      return receipt.duplicate ? null : receipt
    } catch (error) {
      if (isAdded(error)) return null
      throw error
    }
  })
  return passed.catch((error: unknown) => {
    admitted.undo()
    throw error
  })
}

/** Seconds a sender shall wait that is refused for now. */
export function retryAfterSeconds({ details }: MusterError): number {
  const ms = (details as { retryAfterMs?: number } | undefined)?.retryAfterMs
  return Math.max(1, Math.ceil((typeof ms === 'number' ? ms : 1000) / 1000))
}
