import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter as LogsJson } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as LogsProto } from '@opentelemetry/exporter-logs-otlp-proto'
import { AggregationTemporalityPreference, OTLPMetricExporter as MetricsJson } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as MetricsProto } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter as TracesJson } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as TracesProto } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Leaf } from '../leaf.ts'

const leaf = new Leaf()
let base = ''

beforeAll(async () => {
  await leaf.start(true, ['--otlp', '127.0.0.1:0'])
  base = `http://${(await leaf.client.health()).intake?.ports.otlp?.address}`
})
afterAll(() => leaf.remove())

const rows = async (sql: string): Promise<unknown[][]> => (await leaf.client.query(sql)).rows
const gzip = { compression: 'gzip' as never }

for (const [encoding, Logs, Metrics, Traces] of [
  ['protobuf', LogsProto, MetricsProto, TracesProto],
  ['JSON', LogsJson, MetricsJson, TracesJson],
] as const) {
  const service = `shop-${encoding.toLowerCase()}`
  const resource = resourceFromAttributes({ 'service.name': service, 'host.name': 'n1' })

  test(`what OpenTelemetry's SDK says in ${encoding} is in logs, traces and metrics`, async () => {
    const logs = new LoggerProvider({
      resource,
      processors: [new BatchLogRecordProcessor({ exporter: new Logs({ url: `${base}/v1/logs`, ...gzip }) })],
    })
    logs.getLogger('lib', '1.0').emit({
      severityNumber: SeverityNumber.WARN,
      severityText: 'warning',
      body: 'slow answer',
      attributes: { 'http.status_code': 504, path: '/buy', retried: true },
    })
    await logs.shutdown()
    expect(
      await rows(
        `SELECT severity, severity_number, body, service, "http.status_code", retried, "host.name", scope FROM logs WHERE service = '${service}'`,
      ),
    ).toEqual([['warning', 13, 'slow answer', service, 504, true, 'n1', 'lib']])

    const traces = new TracerProvider({
      resource,
      spanProcessors: [new BatchSpanProcessor({ exporter: new Traces({ url: `${base}/v1/traces`, ...gzip }) })],
    })
    const tracer = traces.getTracer('lib')
    const parent = tracer.startSpan('GET /buy', { kind: SpanKind.SERVER, startTime: 1_790_000_000_000 })
    const { active, setSpan } = { active: (await import('@opentelemetry/api')).ROOT_CONTEXT, setSpan: trace.setSpan.bind(trace) }
    const child = tracer.startSpan('charge', { startTime: 1_790_000_000_010, attributes: { card: 'x' } }, setSpan(active, parent))
    child.setStatus({ code: SpanStatusCode.ERROR, message: 'declined' })
    child.addEvent('retry', { n: 1 }, 1_790_000_000_020)
    child.end(1_790_000_000_030)
    parent.end(1_790_000_000_050)
    await traces.shutdown()
    const { traceId, spanId } = parent.spanContext()
    expect(
      await rows(
        `SELECT name, kind, trace_id, parent_span_id, duration_ms, status, status_message, epoch_ms("time") FROM traces WHERE service = '${service}' ORDER BY time`,
      ),
    ).toEqual([
      ['GET /buy', 'server', traceId, null, 50, 'unset', null, 1_790_000_000_000],
      ['charge', 'internal', traceId, spanId, 20, 'error', 'declined', 1_790_000_000_010],
    ])

    for (const temporality of ['cumulative', 'delta'] as const) {
      const temporalityPreference =
        temporality === 'delta' ? AggregationTemporalityPreference.DELTA : AggregationTemporalityPreference.CUMULATIVE
      const exporter = new Metrics({ url: `${base}/v1/metrics`, temporalityPreference, ...gzip })
      const meters = new MeterProvider({
        resource,
        readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
        views: [{ instrumentName: 'wait', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
      })
      const meter = meters.getMeter('lib')
      const counter = meter.createCounter(`orders.${temporality}`, { unit: '1' })
      counter.add(3, { region: 'eu' })
      await meters.forceFlush()
      counter.add(4, { region: 'eu' })
      meter.createHistogram('size', { advice: { explicitBucketBoundaries: [1, 10] } }).record(5)
      for (const ms of [1, 2, 4]) meter.createHistogram('wait').record(ms)
      await meters.shutdown()
    }
    const orders = `SELECT name, value, temporality, monotonic, region, count(DISTINCT series) OVER (PARTITION BY name) FROM metrics WHERE service = '${service}' AND name LIKE 'orders%' ORDER BY name, time`
    expect(await rows(orders)).toEqual([
      ['orders.cumulative', 3, 'cumulative', true, 'eu', 1],
      ['orders.cumulative', 7, 'cumulative', true, 'eu', 1],
      ['orders.delta', 3, 'delta', true, 'eu', 1],
      ['orders.delta', 4, 'delta', true, 'eu', 1],
    ])
    const spread = `SELECT DISTINCT name, kind, value, "count", "min", "max", buckets FROM metrics WHERE service = '${service}' AND name IN ('size', 'wait') ORDER BY name`
    const [size, wait] = await rows(spread)
    expect(size).toEqual(['size', 'histogram', 5, 1, 5, 5, '[[10,1]]'])
    expect(wait?.slice(0, 6)).toEqual(['wait', 'exponential_histogram', 7, 3, 1, 4])
    // The bucket's upper bound is at or above what is in it, by the width of a bucket at most.
    const buckets = JSON.parse(String(wait?.[6])) as [number, number][]
    expect(buckets.map(([bound, count]) => [Math.round(bound * 100) / 100, count])).toEqual([
      [1, 1],
      [2, 1],
      [4, 1],
    ])
  })
}

test('a body that is sent again after kill -9 is added once', async () => {
  const body = JSON.stringify({
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: '1790000000000000000', body: { stringValue: 'once' } }] }] }],
  })
  const port = base.slice(base.lastIndexOf(':') + 1)
  const send = (): Promise<Response> =>
    fetch(`${base}/v1/logs`, { method: 'POST', body, headers: { 'content-type': 'application/json', connection: 'close' } })
  expect((await send()).status).toBe(200)
  await leaf.end('SIGKILL')
  await leaf.start(true, ['--otlp', `127.0.0.1:${port}`])
  expect((await send()).status).toBe(200)
  expect((await send()).status).toBe(200)
  expect(await rows("SELECT body, count(*) FROM logs WHERE body = 'once' GROUP BY body")).toEqual([['once', 1]])
})
