import { refuse, type MusterError } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { AckLevel, Receipt } from '../../../core/scuba/wire-types.ts'
import type { Batch } from './batch.ts'
import type { KnownKey } from './keys.ts'

/** What a sender is told of lines that must all become rows. */
export function badLines(lines: Batch['quarantined'], count: number): MusterError {
  const [first] = lines
  return refuse(
    'SCUBA_LINES_INVALID',
    `${count} ${count === 1 ? 'line' : 'lines'} cannot become rows; line ${first?.line}: ${first?.reason}`,
    {
      details: { count, lines: lines.map(({ line, reason }) => ({ line, reason })) },
    },
  )
}

/** What the sender of a batch that was here before is told. @throws SCUBA_KEY_REUSED when it was another one */
export function duplicateReceipt(table: string, key: string, ack: AckLevel, known: KnownKey, digest: string): Receipt {
  if (known.digest !== digest)
    throw refuse('SCUBA_KEY_REUSED', `the key ${JSON.stringify(key)} came with other bytes before`, {
      details: { key, firstAtMs: known.at },
    })
  return {
    table,
    accepted: known.accepted,
    quarantined: known.quarantined,
    firstErrors: [],
    duplicate: true,
    key,
    dedupeUntilMs: known.at + LIMITS.dedupeMs,
    ack,
  }
}
