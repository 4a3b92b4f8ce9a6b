import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { JournalRecord } from '../../../core/scuba/wal/record.ts'
import type { Stored } from '../leaf/raw-batch.ts'

/** The rows of a batch that is a copy, as they came in: inflated, and as they were sent. */
export function bodyOf({ header: { body: encoding = 'none' }, payload }: JournalRecord): { body: Buffer; stored: Stored } {
  const bytes = Buffer.from(payload)
  const body = encoding === 'gzip' ? gunzipSync(bytes) : encoding === 'zstd' ? zstdDecompressSync(bytes) : bytes
  return { body, stored: { encoding, bytes } }
}
