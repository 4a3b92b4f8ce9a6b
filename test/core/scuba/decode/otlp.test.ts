import { expect, test } from 'vitest'
import { decodeOtlp, type Signal } from '../../../../src/core/scuba/decode/otlp/decode.ts'
import { encoded, rowsOf } from './oracle.ts'

const MS = 1_790_000_000_123
const NS = `${MS}456789`
const US = MS * 1000 + 456
const TYPES: Record<Signal, string> = {
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
  traces: 'ExportTraceServiceRequest',
}
const TRACE = '5b8efff798038103d269b633813fc60c'
const SPAN = 'eee19b7ec3c1b174'
const bytes = (hex: string): number[] => [...Buffer.from(hex, 'hex')]
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })
const resource = { attributes: [text('service.name', 'feed'), text('host.name', 'n1')] }

/** Rows of the same message by both encodings, which have to agree; ids are given in hex. */
function both(signal: Signal, message: object): Record<string, unknown>[] {
  const binary = JSON.parse(JSON.stringify(message), (key, value: unknown) =>
    ['traceId', 'spanId', 'parentSpanId'].includes(key) ? bytes(String(value)) : value,
  ) as object
  const rows = rowsOf(decodeOtlp(signal, 'protobuf', encoded(TYPES[signal], binary)))
  expect(rowsOf(decodeOtlp(signal, 'json', Buffer.from(JSON.stringify(message))))).toEqual(rows)
  return rows
}

test('a log record is a row with its attributes, its scope and its resource as columns; nested maps are dotted, arrays text', () => {
  const attributes = [
    { key: 'http.status_code', value: { intValue: '503' } },
    { key: 'ratio', value: { doubleValue: 0.5 } },
    { key: 'ok', value: { boolValue: false } },
    { key: 'big', value: { intValue: '9007199254740993' } },
    { key: 'user', value: { kvlistValue: { values: [text('id', 'u1')] } } },
    { key: 'tags', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 2 }] } } },
    text('host.name', 'other'),
  ]
  const record = {
    ...{ timeUnixNano: NS, severityNumber: 17, body: { stringValue: 'no route' }, attributes },
    ...{ traceId: TRACE, spanId: SPAN, flags: 1, eventName: 'e', droppedAttributesCount: 2 },
  }
  const scope = { name: 'lib', version: '1.2', attributes: [] }
  expect(both('logs', { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: [record] }] }] })).toEqual([
    {
      ...{ time: US, severity_number: 17, severity: 'ERROR', body: 'no route', trace_id: TRACE, span_id: SPAN, event_name: 'e', flags: 1 },
      ...{ dropped_attributes: 2, service: 'feed', scope: 'lib', 'scope.version': '1.2' },
      ...{ 'http.status_code': 503, ratio: 0.5, ok: false, big: '9007199254740993', 'user.id': 'u1', tags: '["a",2]' },
      ...{ 'host.name': 'other', 'service.name': 'feed', 'resource.host.name': 'n1' },
    },
  ])
})

test('a log record without a time has that of its observation, and without both none', () => {
  const records = [{ observedTimeUnixNano: NS, body: { kvlistValue: { values: [text('a', 'b')] } } }, { severityText: 'warn' }]
  expect(both('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: records }] }] })).toEqual([
    { time: US, body: '{"a":"b"}' },
    { severity: 'warn' },
  ])
})

test('a span is a row at its beginning; one without ids is rejected with a reason and the others are kept', () => {
  const span = {
    ...{ traceId: TRACE, spanId: SPAN, parentSpanId: 'eee19b7ec3c1b173', name: 'GET /', kind: 2 },
    ...{ startTimeUnixNano: NS, endTimeUnixNano: String(BigInt(NS) + 12_500_000n), status: { code: 2, message: 'boom' } },
    events: [{ timeUnixNano: NS, name: 'retry', attributes: [text('n', '1')] }],
    links: [{ traceId: TRACE, spanId: SPAN, attributes: [] }],
  }
  const message = { resourceSpans: [{ resource, scopeSpans: [{ spans: [span, { ...span, traceId: '' }] }] }] }
  expect(both('traces', message)).toEqual([
    {
      ...{ time: US, trace_id: TRACE, span_id: SPAN, parent_span_id: 'eee19b7ec3c1b173', name: 'GET /', kind: 'server', duration_ms: 12.5 },
      ...{ status: 'error', status_message: 'boom', service: 'feed', 'service.name': 'feed', 'host.name': 'n1' },
      events: `[{"time_ms":${US / 1000},"name":"retry","n":"1"}]`,
      links: `[{"trace_id":"${TRACE}","span_id":"${SPAN}"}]`,
    },
  ])
  const read = decodeOtlp('traces', 'json', Buffer.from(JSON.stringify(message)))
  expect(read).toMatchObject({ rejected: 1, reason: 'a span without a trace_id of 16 bytes' })
})

const point = { timeUnixNano: NS, startTimeUnixNano: `${MS - 10_000}000000`, attributes: [{ key: 'code', value: { intValue: '200' } }] }
const metric = (data: object) => ({
  resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [{ name: 'm', unit: 's', ...data }] }] }],
})
const own = {
  time: US,
  name: 'm',
  unit: 's',
  code: '200',
  service: 'feed',
  'service.name': 'feed',
  'host.name': 'n1',
  start_ms: MS - 10_000,
}

test('gauges and sums are a row a point, with kind, temporality and a series that depends on the labels alone', () => {
  const gauge = both(
    'metrics',
    metric({
      gauge: {
        dataPoints: [
          { ...point, asDouble: 1.5 },
          { ...point, asInt: '7' },
        ],
      },
    }),
  )
  expect(gauge).toMatchObject([
    { ...own, kind: 'gauge', value: 1.5 },
    { ...own, kind: 'gauge', value: 7 },
  ])
  const sum = both('metrics', metric({ sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...point, asInt: '-3' }] } }))
  expect(sum).toMatchObject([{ ...own, kind: 'sum', temporality: 'delta', monotonic: true, value: -3 }])
  const asText = { ...point, attributes: [text('code', '200')], asDouble: 1 }
  const same = both('metrics', metric({ gauge: { dataPoints: [asText, { ...asText, attributes: [text('code', '201')] }] } }))
  expect(same[0]?.['series']).toBe(gauge[0]?.['series'])
  expect(same[1]?.['series']).not.toBe(gauge[0]?.['series'])
})

test('a histogram of either kind has its sum as value and its buckets as upper bound and count', () => {
  const spread = { ...point, count: '6', sum: 12.5, min: 0.1, max: 9 }
  const bounds = { ...spread, bucketCounts: ['1', '0', '3', '2'], explicitBounds: [0.5, 1, 5] }
  expect(both('metrics', metric({ histogram: { aggregationTemporality: 2, dataPoints: [bounds] } }))).toMatchObject([
    { ...own, kind: 'histogram', temporality: 'cumulative', value: 12.5, count: 6, min: 0.1, max: 9, buckets: '[[0.5,1],[5,3],[null,2]]' },
  ])
  const exponential = {
    ...{ ...spread, scale: 0, zeroCount: '1', zeroThreshold: 0.001 },
    ...{ positive: { offset: 1, bucketCounts: ['2', '0', '1'] }, negative: { offset: 0, bucketCounts: ['1', '1'] } },
  }
  expect(both('metrics', metric({ exponentialHistogram: { aggregationTemporality: 1, dataPoints: [exponential] } }))).toMatchObject([
    { ...own, kind: 'exponential_histogram', temporality: 'delta', scale: 0, buckets: '[[-2,1],[-1,1],[0.001,1],[4,2],[16,1]]' },
  ])
  const wrong = decodeOtlp(
    'metrics',
    'json',
    Buffer.from(JSON.stringify(metric({ histogram: { dataPoints: [{ ...bounds, explicitBounds: [1] }] } }))),
  )
  expect(wrong).toMatchObject({ lines: [], rejected: 1, reason: 'a point of m has 4 counts for 1 bounds' })
})

test('a summary has its quantiles, and a point without a recorded value ends its series', () => {
  const summary = { ...point, count: '2', sum: 3, quantileValues: [{ quantile: 0.5, value: 1 }] }
  expect(both('metrics', metric({ summary: { dataPoints: [summary] } }))).toMatchObject([
    { ...own, kind: 'summary', value: 3, count: 2, quantiles: '[[0.5,1]]' },
  ])
  const [ended] = both('metrics', metric({ gauge: { dataPoints: [{ ...point, flags: 1 }] } }))
  expect(ended).toMatchObject({ marker: 'stale' })
  expect(ended).not.toHaveProperty('value')
})

test('a label with the name of a column of ours is a column of another name', () => {
  const labels = { ...point, attributes: [text('name', 'eth0'), text('time', 'x'), text('Value', 'y')], asInt: 1 }
  expect(both('metrics', metric({ gauge: { dataPoints: [labels] } }))).toMatchObject([
    { time: US, name: 'm', 'label.name': 'eth0', 'label.time': 'x', 'label.Value': 'y', value: 1 },
  ])
})

test('JSON of a wrong form is refused with the place at which it stands', () => {
  const message = (body: string): unknown => decodeOtlp('logs', 'json', Buffer.from(body))
  expect(message('{"resourceLogs":{}}')).toMatchObject({ code: 'SCUBA_BODY_INVALID', message: 'resourceLogs is not an array' })
  expect(message('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"x"}]}]}]}')).toMatchObject({
    message: 'resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano is not an integer',
  })
  expect(message('{"resourceLogs":[{"é":1}')).toMatchObject({ details: { atByte: 25 } })
  const deep = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${'{"arrayValue":{"values":['.repeat(5000)}${']}}'.repeat(5000)}}]}]}]}`
  expect(message(deep)).toMatchObject({ code: 'SCUBA_BODY_INVALID' })
})

test('an exponential histogram of more buckets than a row holds is one of a smaller scale, with all its values', () => {
  const bucketCounts = Array.from({ length: 1500 }, (_, i) => String(i + 1))
  const total = (1500 * 1501) / 2
  const exponential = { ...point, count: String(total), scale: 6, positive: { offset: -3, bucketCounts } }
  const [row] = both('metrics', metric({ exponentialHistogram: { dataPoints: [exponential] } }))
  const pairs = JSON.parse(String(row?.['buckets'])) as [number, number][]
  expect(row).toMatchObject({ scale: 5, count: total })
  expect(pairs).toHaveLength(751)
  // Buckets -3 and -2 of scale 6 are -2 and -1 of scale 5; bucket i ends at 2^((i + 1) / 32).
  expect(pairs.slice(0, 2)).toEqual([
    [2 ** (-1 / 32), 1],
    [1, 2 + 3],
  ])
  expect(pairs.reduce((sum, [, count]) => sum + count, 0)).toBe(total)
  const bounds = Array.from({ length: 1501 }, (_, i) => i)
  const explicit = { ...point, count: '1502', bucketCounts: bounds.concat(0).map(() => '1'), explicitBounds: bounds }
  const [other] = both('metrics', metric({ histogram: { dataPoints: [explicit] } }))
  const wide = JSON.parse(String(other?.['buckets'])) as [number | null, number][]
  expect(wide.length).toBeLessThanOrEqual(1000)
  expect([wide[0], wide.at(-1)]).toEqual([
    [1, 2],
    [null, 2],
  ])
  expect(wide.reduce((sum, [, count]) => sum + count, 0)).toBe(1502)
})
