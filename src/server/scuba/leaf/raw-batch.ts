import { isUtf8 } from 'node:buffer'
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { fitColumns } from '../../../core/scuba/raw/fit.ts'
import type { Encoding } from '../../../core/scuba/raw/read.ts'
import { takeOnTrust } from '../../../core/scuba/raw/trust.ts'
import { isTrusted, type TableConfig } from '../../../core/scuba/registry.ts'
import type { RawBatch } from './raw-chunks.ts'
import type { TableTail } from './table.ts'

/** A body as it came in: compressed or not. */
export interface Stored {
  encoding: Encoding
  bytes: Buffer
}

/** What was sent, of bytes that were looked through when they came in. */
export function inflated({ encoding, bytes }: Stored): Buffer {
  switch (encoding) {
    case 'gzip':
      return gunzipSync(bytes)
    case 'zstd':
      return zstdDecompressSync(bytes)
    case 'none':
      return bytes
  }
}

const LINE_END = Buffer.from('\n')
const lineEnd = { none: () => LINE_END, gzip: () => gzipSync(LINE_END), zstd: () => zstdCompressSync(LINE_END) } as const

/**
 * A body as a batch that is kept as it came in; null when some row of it has to be brought into its table's types first.
 * @param body inflated
 * @param isStrict nothing is taken on trust: the sender wants to be told of each bad line
 */
export function rawBatch(
  body: Buffer,
  { encoding, bytes }: Stored,
  tail: TableTail,
  config: TableConfig | undefined,
  receivedMs: number,
  isStrict: boolean,
): RawBatch | null {
  // Rules are for rows.
  if (body[0] !== 0x7b || !isUtf8(body) || Object.keys(config?.rules ?? {}).length > 0) return null
  const { columns } = tail
  const scanner = tail.scanner(config?.timeField ?? null)
  const parts = body.at(-1) === 0x0a ? [bytes] : [bytes, lineEnd[encoding]()]
  const trusted = isTrusted(config) && !isStrict ? takeOnTrust(scanner, body, config?.columns ?? {}, receivedMs) : null
  if (trusted && trusted.samples.every((sample) => fitColumns(sample, columns, false, receivedMs))) {
    const { rows, minUs, maxUs, hours, shape } = trusted
    return { parts, form: { shape, encoding }, rows, minUs, maxUs, hours, onTrust: true }
  }
  const scan = scanner.scan(body, receivedMs)
  if (scan === null || !fitColumns(scan, columns, config === undefined || config.mode === 'open', receivedMs)) return null
  const { rows, minUs, maxUs, hours, shape } = scan
  return { parts, form: { shape, encoding }, rows, minUs, maxUs, hours, onTrust: false }
}
