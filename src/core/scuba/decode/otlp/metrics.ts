import { pairsOfBounds, pairsOfExponential, type BucketPair, type IndexedBucket } from '../buckets.ts'
import { DECODE } from '../limits.ts'
import { microsOfNanos, RowList, type Decoded, type Row } from '../rows.ts'
import { seriesRow, STALE, valueOf } from '../series.ts'
import { contextOf, type Context } from './context.ts'
import type { Buckets, Distribution, Exemplar, KeyValue, Metric, MetricsData, NumberPoint, Point } from './messages.ts'
import { columnsOf, hexId, integerOf } from './values.ts'

/** Bit 0 of a point's flags: `NO_RECORDED_VALUE`. */
const NO_VALUE = 1
const TEMPORALITY = ['unspecified', 'delta', 'cumulative']

/** One row of `metrics` per data point. The value of a distribution is its sum; beside it stand count, extremes and buckets. */
export function metricRows(data: MetricsData): Decoded {
  const rows = new RowList()
  for (const { resource, scope_metrics } of data.resource_metrics) {
    for (const { scope, metrics } of scope_metrics) {
      const context = contextOf(resource, scope)
      for (const metric of metrics) addMetric(rows, metric, context)
    }
  }
  return rows.into('metrics')
}

function addMetric(rows: RowList, metric: Metric, context: Context): void {
  const { gauge, sum, histogram, exponential_histogram: exponential, summary } = metric
  const add = (point: Point, own: Row): void => addPoint(rows, metric, point, own, context)
  if (gauge !== null) for (const point of gauge.data_points) add(point, { kind: 'gauge', ...valueOfPoint(point) })
  else if (sum !== null) {
    const kind = { kind: 'sum', ...temporal(sum), monotonic: sum.is_monotonic }
    for (const point of sum.data_points) add(point, { ...kind, ...valueOfPoint(point) })
  } else if (histogram !== null) {
    for (const point of histogram.data_points) {
      const { bucket_counts: counts, explicit_bounds: bounds } = point
      if (counts.length > 0 && counts.length !== bounds.length + 1)
        rows.reject(`a point of ${metric.name} has ${counts.length} counts for ${bounds.length} bounds`)
      else add(point, { kind: 'histogram', ...temporal(histogram), ...distribution(point, pairsOfBounds(bounds, counts.map(Number))) })
    }
  } else if (exponential !== null) {
    for (const point of exponential.data_points) {
      const { scale, pairs } = pairsOfExponential({
        ...{ scale: point.scale, zeroThreshold: point.zero_threshold, zeros: Number(point.zero_count) },
        ...{ positive: filled(point.positive), negative: filled(point.negative) },
      })
      const own = { kind: 'exponential_histogram', ...temporal(exponential), scale }
      add(point, { ...own, ...distribution(point, pairs) })
    }
  } else if (summary !== null) {
    for (const point of summary.data_points) {
      const quantiles = point.quantile_values.slice(0, DECODE.partsMax).map(({ quantile, value }) => [quantile, value])
      const own = { kind: 'summary', ...valueOf(point.sum, false), count: integerOf(point.count) }
      add(point, { ...own, quantiles: JSON.stringify(quantiles) })
    }
  } else rows.reject(`the metric ${JSON.stringify(metric.name.slice(0, 100))} has no data of a known kind`)
}

const temporal = ({ aggregation_temporality: number }: { aggregation_temporality: number }): Row => ({
  temporality: TEMPORALITY[number] ?? 'unspecified',
})

function addPoint(rows: RowList, metric: Metric, point: Point, own: Row, context: Context): void {
  const timeUs = microsOfNanos(point.time_unix_nano)
  if (metric.name === '') return rows.reject('a metric without a name')
  if (timeUs === null) return rows.reject(`a point of ${metric.name.slice(0, 100)} without time_unix_nano`)
  const row: Row = { time: timeUs, ...seriesRow(metric.name, labelsOf(point.attributes, context)), ...own }
  if (metric.unit !== '') row['unit'] = metric.unit
  const startUs = microsOfNanos(point.start_time_unix_nano)
  if (startUs !== null) row['start_ms'] = Math.floor(startUs / 1000)
  if ((point.flags & NO_VALUE) !== 0) {
    delete row['value']
    row['marker'] = STALE
  }
  rows.add(row)
}

/** A point's attributes, its scope's and its resource's, inner ones first; as text, so that 200 and "200" are one series. */
function labelsOf(attributes: readonly KeyValue[], context: Context): [string, string][] {
  const merged: Row = { ...context.resource, ...context.scope, ...columnsOf(attributes) }
  if (context.own['scope'] !== undefined) merged['scope'] ??= context.own['scope']
  return Object.keys(merged)
    .slice(0, DECODE.labelsMax)
    .map((key) => [key, String(merged[key])])
}

function valueOfPoint({ as_double: double, as_int: integer, exemplars }: NumberPoint): Row {
  const value = double ?? (integer === null ? null : Number(integer))
  return { ...(value === null ? { marker: 'none' } : valueOf(value, false)), ...examples(exemplars) }
}

const filled = (buckets: Buckets | null): IndexedBucket[] =>
  (buckets?.bucket_counts ?? [])
    .map((count, i) => ({ index: (buckets?.offset ?? 0) + i, count: Number(count) }))
    .filter(({ count }) => count > 0)

function distribution(point: Distribution, pairs: readonly BucketPair[]): Row {
  const { sum, min, max } = point
  const row: Row = { ...(sum === null ? {} : valueOf(sum, false)), count: integerOf(point.count) }
  if (min !== null && Number.isFinite(min)) row['min'] = min
  if (max !== null && Number.isFinite(max)) row['max'] = max
  if (pairs.length > 0) row['buckets'] = JSON.stringify(pairs)
  return { ...row, ...examples(point.exemplars) }
}

function examples(exemplars: readonly Exemplar[]): Row {
  if (exemplars.length === 0) return {}
  const kept = exemplars.slice(0, DECODE.partsMax).map((one) => ({
    time_ms: Math.floor((microsOfNanos(one.time_unix_nano) ?? 0) / 1000),
    value: one.as_double ?? Number(one.as_int ?? 0n),
    trace_id: hexId(one.trace_id),
    span_id: hexId(one.span_id),
  }))
  return { exemplars: JSON.stringify(kept) }
}
