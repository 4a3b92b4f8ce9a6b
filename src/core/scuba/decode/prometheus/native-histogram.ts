import {
  double,
  enumeration,
  fixed64,
  int64,
  list,
  message,
  oneof,
  sint32,
  uint32,
  uint64,
  type Schema,
} from '../../../kernel/protobuf/schema.ts'
import { pairsOfBounds, pairsOfExponential, type BucketPair, type IndexedBucket } from '../buckets.ts'
import { microsOfMillis, type Row, type RowList } from '../rows.ts'
import { STALE, valueOf } from '../series.ts'
import { doubleOf, STALE_NAN } from './stale.ts'

/** `length` buckets that lie side by side, `offset` behind the end of the span before, or of the first one: where it begins. */
interface Span {
  offset: number
  length: number
}
/** `prompb.Histogram`: counts are whole and each the difference to the one before, or doubles as they are. */
export interface NativeHistogram {
  count_int: bigint | null
  count_float: number | null
  /** bits of a double */
  sum: bigint
  schema: number
  zero_threshold: number
  zero_count_int: bigint | null
  zero_count_float: number | null
  negative_spans: Span[]
  /** sint64 as they travel, zigzag */
  negative_deltas: bigint[]
  negative_counts: number[]
  positive_spans: Span[]
  positive_deltas: bigint[]
  positive_counts: number[]
  reset_hint: number
  /** ms since the epoch */
  timestamp: bigint
  /** upper bounds of schema -53 */
  custom_values: number[]
}

const SPAN: Schema<Span> = { name: 'BucketSpan', fields: { offset: sint32(1), length: uint32(2) } }
export const NATIVE_HISTOGRAM: Schema<NativeHistogram> = {
  name: 'Histogram',
  fields: {
    count_int: oneof('count', uint64(1)),
    count_float: oneof('count', double(2)),
    sum: fixed64(3),
    schema: sint32(4),
    zero_threshold: double(5),
    zero_count_int: oneof('zero_count', uint64(6)),
    zero_count_float: oneof('zero_count', double(7)),
    negative_spans: list(message(8, () => SPAN)),
    negative_deltas: list(uint64(9)),
    negative_counts: list(double(10)),
    positive_spans: list(message(11, () => SPAN)),
    positive_deltas: list(uint64(12)),
    positive_counts: list(double(13)),
    reset_hint: enumeration(14, 'ResetHint', ['UNKNOWN', 'YES', 'NO', 'GAUGE']),
    timestamp: int64(15),
    custom_values: list(double(16)),
  },
}

/** Schemas whose buckets are powers (`model/histogram.IsExponentialSchemaReserved`), and the one with bounds of its own. */
const [SCHEMA_MIN, SCHEMA_MAX, CUSTOM] = [-9, 52, -53]
const GAUGE = 3

/** One row, as a point of OTLP's (exponential) histograms is: the sum is its value, beside it count and buckets. What cannot be one is rejected. */
export function addNativeHistogram(rows: RowList, series: Row, histogram: NativeHistogram): void {
  const { schema, sum, timestamp, reset_hint: hint } = histogram
  const what = `a histogram of ${String(series['name'])}`
  const timeUs = microsOfMillis(Number(timestamp))
  if (timeUs === null) return rows.reject(`${what} at ${timestamp} ms, which is no time`)
  const isCustom = schema === CUSTOM
  if (!isCustom && (schema < SCHEMA_MIN || schema > SCHEMA_MAX)) return rows.reject(`${what} has schema ${schema}, which is not known`)
  const kind = isCustom ? 'histogram' : 'exponential_histogram'
  const row: Row = { time: timeUs, ...series, kind, temporality: hint === GAUGE ? 'unspecified' : 'cumulative' }
  if (sum === STALE_NAN) return rows.add({ ...row, marker: STALE })
  const read = bucketsOf(histogram)
  if (typeof read === 'string') return rows.reject(`${what} ${read}`)
  const { pairs, scale } = read
  const count = histogram.count_float ?? Number(histogram.count_int ?? 0n)
  if (!isCount(count)) return rows.reject(`${what} has a count that is none`)
  Object.assign(row, valueOf(doubleOf(sum), false), { count }, scale === null ? {} : { scale })
  if (pairs.length > 0) row['buckets'] = JSON.stringify(pairs)
  rows.add(row)
}

/** @returns what is wrong with them, or buckets in OTLP's numbers, and of powers the scale */
function bucketsOf(histogram: NativeHistogram): { pairs: BucketPair[]; scale: number | null } | string {
  const positive = filled(histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts)
  const negative = filled(histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts)
  const zeros = histogram.zero_count_float ?? Number(histogram.zero_count_int ?? 0n)
  if (positive === null || negative === null || !isCount(zeros)) return 'has buckets that do not fit its spans, or counts that are none'
  if (histogram.schema !== CUSTOM) {
    // Bucket i ends at base^i here, and begins there in OTLP.
    const shifted = (buckets: IndexedBucket[]): IndexedBucket[] => buckets.map(({ index, count }) => ({ index: index - 1, count }))
    const { zero_threshold: zeroThreshold, schema: scale } = histogram
    return pairsOfExponential({ scale, zeroThreshold, zeros, positive: shifted(positive), negative: shifted(negative) })
  }
  const bounds = histogram.custom_values
  if (negative.length > 0 || positive.some(({ index }) => index < 0 || index > bounds.length)) return 'has buckets without bounds'
  const counts = Array.from({ length: bounds.length + 1 }, () => 0)
  for (const { index, count } of positive) counts[index] = count
  return { pairs: pairsOfBounds(bounds, counts), scale: null }
}

/** Buckets with something in them, ascending; null: spans and counts do not fit, or a count is none. */
function filled(spans: readonly Span[], deltas: readonly bigint[], counts: readonly number[]): IndexedBucket[] | null {
  const isWhole = deltas.length > 0
  const total = isWhole ? deltas.length : counts.length
  const buckets: IndexedBucket[] = []
  let index = 0
  let at = 0
  let whole = 0n
  for (const [i, { offset, length }] of spans.entries()) {
    // Spans that overlap would name a bucket twice. A length is only believed as far as there are counts for it.
    if ((i > 0 && offset < 0) || length > total - at) return null
    index += offset
    const end = at + length
    for (; at < end; at += 1, index += 1) {
      if (isWhole) whole += signed(deltas[at] ?? 0n)
      const count = isWhole ? Number(whole) : (counts[at] ?? 0)
      if (!isCount(count)) return null
      if (count > 0) buckets.push({ index, count })
    }
  }
  return at === total ? buckets : null
}

const signed = (zigzag: bigint): bigint => (zigzag >> 1n) ^ -(zigzag & 1n)

const isCount = (count: number): boolean => count >= 0 && Number.isFinite(count)
