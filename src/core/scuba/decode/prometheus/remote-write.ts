import { refuse, type MusterError } from '../../../kernel/errors.ts'
import { codecOf } from '../../../kernel/protobuf/codec.ts'
import { Reader } from '../../../kernel/protobuf/reader.ts'
import { fixed64, int64, list, message, text, type Schema } from '../../../kernel/protobuf/schema.ts'
import { DECODE } from '../limits.ts'
import { decoded, microsOfMillis, notReadable, RowList, type Decoded } from '../rows.ts'
import { addSample, seriesRow } from '../series.ts'
import { unsnappy } from '../snappy.ts'
import { addNativeHistogram, NATIVE_HISTOGRAM, type NativeHistogram } from './native-histogram.ts'
import { doubleOf, STALE_NAN } from './stale.ts'

/** `prometheus/prompb` of remote-write 1.0, as far as it becomes rows. */
interface Label {
  name: string
  value: string
}
interface Sample {
  /** bits of a double: a NaN that passed through a number may come out as another one */
  value: bigint
  /** ms since the epoch */
  timestamp: bigint
}
interface TimeSeries {
  labels: Label[]
  samples: Sample[]
  histograms: NativeHistogram[]
}
export interface WriteRequest {
  timeseries: TimeSeries[]
}

const LABEL: Schema<Label> = { name: 'Label', fields: { name: text(1), value: text(2) } }
const SAMPLE: Schema<Sample> = { name: 'Sample', fields: { value: fixed64(1), timestamp: int64(2) } }
const TIME_SERIES: Schema<TimeSeries> = {
  name: 'TimeSeries',
  fields: {
    labels: list(message(1, () => LABEL)),
    samples: list(message(2, () => SAMPLE)),
    histograms: list(message(4, () => NATIVE_HISTOGRAM)),
  },
}
export const WRITE_REQUEST: Schema<WriteRequest> = { name: 'WriteRequest', fields: { timeseries: list(message(1, () => TIME_SERIES)) } }

/**
 * Rows of `metrics` from the snappy block that Prometheus sends: one a sample, one a native histogram. A staleness marker becomes a row
 * without a value.
 */
export function decodeRemoteWrite(body: Uint8Array): Decoded | MusterError {
  return decoded(() => {
    const bytes = unsnappy(body, DECODE.inflatedBytesMax)
    if (!(bytes instanceof Uint8Array)) return bytes
    const reader = new Reader(bytes, 0, bytes.length, DECODE.itemsMax)
    const request = codecOf(WRITE_REQUEST).read(reader)
    if (reader.itemsLeft < 0) return refuse('SCUBA_TOO_LARGE', `the body holds more than ${DECODE.itemsMax} things`)
    if (reader.failed) return notReadable('a remote-write request', reader.failedAt)
    return rowsOf(request)
  })
}

function rowsOf({ timeseries }: WriteRequest): Decoded {
  const rows = new RowList()
  for (const { labels, samples, histograms } of timeseries) {
    const name = labels.find((label) => label.name === '__name__')?.value ?? ''
    if (name === '' || labels.length > DECODE.labelsMax) {
      const reason = name === '' ? 'a series without the label __name__' : `${name} has more than ${DECODE.labelsMax} labels`
      rows.reject(reason, samples.length + histograms.length)
      continue
    }
    const series = seriesRow(
      name,
      labels.filter((label) => label.name !== '__name__').map((label) => [label.name, label.value] as const),
    )
    for (const { value, timestamp } of samples) {
      const timeUs = microsOfMillis(Number(timestamp))
      if (timeUs === null) rows.reject(`a sample of ${name} at ${timestamp} ms, which is no time`)
      else addSample(rows, series, timeUs, 'prometheus', doubleOf(value), value === STALE_NAN)
    }
    for (const histogram of histograms) addNativeHistogram(rows, series, histogram)
  }
  return rows.into('metrics')
}
