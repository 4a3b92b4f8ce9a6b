import type { JournalRecord } from '../../../core/scuba/wal/record.ts'
import { inflated, type Stored } from '../leaf/raw-batch.ts'

/** The rows of a batch that is a copy, as they came in: inflated, and as they were sent. */
export function bodyOf({ header: { body: encoding = 'none' }, payload }: JournalRecord): { body: Buffer; stored: Stored } {
  const stored = { encoding, bytes: Buffer.from(payload) }
  return { body: inflated(stored), stored }
}
