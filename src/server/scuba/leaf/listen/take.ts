import { isRefusal, type MusterError } from '../../../../core/kernel/errors.ts'
import type { Receipt } from '../../../../core/scuba/wire-types.ts'
import type { Spool } from '../spool.ts'
import type { Admission } from '../quotas.ts'
import type { Store } from '../store.ts'
import type { Decoders } from './decoders.ts'

/** What every way in needs of the leaf. */
export interface Intake {
  store: Store
  spool: Spool
  decoders: Decoders
}

/**
 * Rows that were decoded here, on their way into the store, durable when it resolves. `key`: the same key with the same rows is added once.
 * @param admission of what they came as, if it was asked for before they were decoded
 * @throws SCUBA_QUOTA, and what the store refuses with
 * @returns null: there were none, or they had been added before
 */
export async function take(
  intake: Pick<Intake, 'store' | 'spool'>,
  table: string,
  body: Buffer,
  key: string | null,
  admission?: Admission,
): Promise<Receipt | null> {
  if (body.length === 0) return null
  const admitted = admission ?? intake.store.quotas.admit(table, null, body.length)
  try {
    const receipt = await intake.store.ingest(table, body, { key, ack: 'fsync' })
    if (receipt.duplicate) return null
    intake.spool.add({ table, key, ack: 'fsync', rows: receipt.accepted, body })
    return receipt
  } catch (error) {
    // The key is the digest of what was sent. Other rows of the same bytes are those of an earlier version of the decoder.
    if (isRefusal(error) && error.code === 'SCUBA_KEY_REUSED') return null
    admitted.undo()
    throw error
  }
}

/** Seconds a sender shall wait that is refused for now. */
export function retryAfterSeconds({ details }: MusterError): number {
  const ms = (details as { retryAfterMs?: number } | undefined)?.retryAfterMs
  return Math.max(1, Math.ceil((typeof ms === 'number' ? ms : 1000) / 1000))
}
