import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isRefusal } from '../../../../src/core/kernel/errors.ts'
import { decodeExposition } from '../../../../src/core/scuba/decode/prometheus/exposition.ts'
import { decodeRemoteWrite } from '../../../../src/core/scuba/decode/prometheus/remote-write.ts'
import { unsnappy } from '../../../../src/core/scuba/decode/snappy.ts'
import { encoded, rowsOf, snappy } from './oracle.ts'

const MS = 1_790_000_000_123

test('snappy gives back what went in, and any bytes are read, or refused within their bounds', () => {
  const repeating = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.nat(300)).map(([unit, times]) => {
    return Uint8Array.from({ length: unit.length * times }, (_, i) => unit[i % unit.length] as number)
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), repeating), (bytes) => {
      expect(unsnappy(snappy(bytes), 10_000)).toEqual(bytes)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const read = unsnappy(bytes, 10_000)
      if (isRefusal(read)) expect(['SCUBA_BODY_INVALID', 'SCUBA_TOO_LARGE']).toContain(read.code)
      else expect(read.length).toBeLessThanOrEqual(10_000)
    }),
    { numRuns: 1000 },
  )
})

test("copies with every width of offset are those of the format's description", () => {
  const run = (...bytes: number[]): unknown => unsnappy(Uint8Array.from(bytes), 1000)
  const abcd = [12, 0x61, 0x62, 0x63, 0x64]
  const twice = Buffer.from('abcdabcd')
  expect(run(8, ...abcd, 0b000_000_01, 4)).toEqual(new Uint8Array(twice))
  expect(run(8, ...abcd, (3 << 2) | 2, 4, 0)).toEqual(new Uint8Array(twice))
  expect(run(8, ...abcd, (3 << 2) | 3, 4, 0, 0, 0)).toEqual(new Uint8Array(twice))
  expect(run(6, 0, 0x7a, (4 << 2) | 2, 1, 0)).toEqual(new Uint8Array(Buffer.from('zzzzzz')))
  expect(run(8, ...abcd, (3 << 2) | 2, 5, 0)).toMatchObject({ details: { atByte: 6 } })
  expect(run(9, ...abcd)).toMatchObject({ code: 'SCUBA_BODY_INVALID' })
  expect(run(0xff, 0xff, 0xff, 0xff, 0x0f)).toMatchObject({ code: 'SCUBA_TOO_LARGE' })
})

test('remote-write is a row a sample; a staleness marker has no value, and neither have NaN and infinities', () => {
  const stale = new DataView(new ArrayBuffer(8))
  stale.setBigUint64(0, 0x7ff0_0000_0000_0002n)
  const labels = [
    { name: '__name__', value: 'up' },
    { name: 'job', value: 'node' },
    { name: 'name', value: 'x' },
  ]
  const samples = [1, 0.25, Number.NaN, -Infinity].map((value, i) => ({ value, timestamp: MS + i }))
  const bytes = encoded('WriteRequest', { timeseries: [{ labels, samples: [...samples, { value: 42.5, timestamp: MS + 9 }] }] })
  // A double that means "stale" cannot be asked of an encoder in JavaScript: NaNs are one there.
  const marked = new Uint8Array(bytes)
  const at = Buffer.from(marked).indexOf(Buffer.from(new Float64Array([42.5]).buffer))
  for (let i = 0; i < 8; i += 1) marked[at + i] = stale.getUint8(7 - i)
  const rows = rowsOf(decodeRemoteWrite(snappy(marked)))
  const series = { name: 'up', job: 'node', service: 'node', 'label.name': 'x', kind: 'prometheus', series: rows[0]?.['series'] }
  expect(rows).toEqual([
    { time: MS * 1000, ...series, value: 1 },
    { time: MS * 1000 + 1000, ...series, value: 0.25 },
    { time: MS * 1000 + 2000, ...series, marker: 'NaN' },
    { time: MS * 1000 + 3000, ...series, marker: '-Inf' },
    { time: MS * 1000 + 9000, ...series, marker: 'stale' },
  ])
})

test('a sample that can never be a row is rejected alone, bytes that are no request are refused whole', () => {
  const one = (name: string, timestamp: number) => ({ labels: [{ name, value: 'x' }], samples: [{ value: 1, timestamp }] })
  const read = decodeRemoteWrite(
    snappy(encoded('WriteRequest', { timeseries: [one('__name__', MS), one('__name__', -5), one('job', MS)] })),
  )
  expect(read).toMatchObject({ rejected: 2, reason: 'a sample of x at -5 ms, which is no time' })
  expect(rowsOf(read)).toHaveLength(1)
  expect(decodeRemoteWrite(snappy(Uint8Array.of(0x0a, 0x7f, 1)))).toMatchObject({ code: 'SCUBA_BODY_INVALID' })
})

const labelled = (histograms: object[]) =>
  decodeRemoteWrite(
    snappy(encoded('WriteRequest', { timeseries: [{ labels: [{ name: '__name__', value: 'rpc' }], histograms, samples: [] }] })),
  )

test('a native histogram is a row as one of OpenTelemetry is: sum, count, scale, buckets by upper bound', () => {
  const whole = {
    ...{ countInt: 14, sum: 18.5, schema: 0, zeroThreshold: 0.001, zeroCountInt: 2, timestamp: MS },
    // Buckets 0, 1 and 4 of base 2, which end at 1, 2 and 16: 1, 3 and 4 values; of the negative ones 2, from -4: 4 values.
    ...{
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: 2, length: 1 },
      ],
      positiveDeltas: [1, 2, 1],
    },
    ...{ negativeSpans: [{ offset: 2, length: 1 }], negativeDeltas: [4] },
  }
  const of = { time: MS * 1000, name: 'rpc', kind: 'exponential_histogram', temporality: 'cumulative' }
  const buckets = '[[-2,4],[0.001,2],[1,1],[2,3],[16,4]]'
  expect(rowsOf(labelled([whole]))).toMatchObject([{ ...of, value: 18.5, count: 14, scale: 0, buckets }])
  const gauge = {
    ...{ countFloat: 2.5, sum: 3, schema: 3, zeroCountFloat: 0, timestamp: MS, resetHint: 'GAUGE' },
    ...{
      positiveSpans: [
        { offset: -8, length: 1 },
        { offset: 7, length: 2 },
      ],
      positiveCounts: [0.5, 0, 2],
    },
  }
  expect(rowsOf(labelled([gauge]))).toMatchObject([
    { ...of, temporality: 'unspecified', value: 3, count: 2.5, scale: 3, buckets: `[[0.5,0.5],[${2 ** (1 / 8)},2]]` },
  ])
  const custom = {
    ...{ countInt: 3, sum: 9, schema: -53, customValues: [0.5, 1], timestamp: MS },
    ...{ positiveSpans: [{ offset: 1, length: 2 }], positiveDeltas: [2, -1] },
  }
  const [row] = rowsOf(labelled([custom]))
  expect(row).toMatchObject({ ...of, kind: 'histogram', value: 9, count: 3, buckets: '[[1,2],[null,1]]' })
  expect(row).not.toHaveProperty('scale')
})

test('a histogram that has ended has a marker; one whose buckets cannot be is counted, not kept', () => {
  const one = { countInt: 1, sum: 42.5, schema: 0, timestamp: MS, positiveSpans: [{ offset: 0, length: 1 }], positiveDeltas: [1] }
  const bytes = new Uint8Array(
    encoded('WriteRequest', { timeseries: [{ labels: [{ name: '__name__', value: 'rpc' }], histograms: [one] }] }),
  )
  const at = Buffer.from(bytes).indexOf(Buffer.from(new Float64Array([42.5]).buffer))
  bytes.set([2, 0, 0, 0, 0, 0, 0xf0, 0x7f], at)
  const [ended] = rowsOf(decodeRemoteWrite(snappy(bytes)))
  expect(ended).toMatchObject({ name: 'rpc', marker: 'stale' })
  expect(Object.keys(ended ?? {})).not.toContain('count')
  const wrong = [
    { ...one, schema: -20 },
    { ...one, timestamp: -1 },
    { ...one, positiveSpans: [{ offset: 0, length: 4_000_000_000 }] },
    {
      ...one,
      positiveSpans: [
        { offset: 0, length: 1 },
        { offset: -1, length: 1 },
      ],
      positiveDeltas: [1, 1],
    },
    { ...one, positiveDeltas: [-1] },
    { ...one, positiveSpans: [] },
    { ...one, schema: -53, customValues: [], positiveSpans: [{ offset: 1, length: 1 }] },
  ]
  expect(labelled([one, ...wrong])).toMatchObject({
    rejected: wrong.length,
    reason: 'a histogram of rpc has schema -20, which is not known',
  })
  for (const each of wrong) expect(labelled([each])).toMatchObject({ lines: [], rejected: 1 })
})

test('any spans and counts are read back bucket by bucket', () => {
  const span = fc.record({ offset: fc.integer({ min: 0, max: 9 }), length: fc.integer({ min: 0, max: 5 }) })
  fc.assert(
    fc.property(
      fc.array(span, { maxLength: 5 }),
      fc.integer({ min: -40, max: 40 }),
      fc.integer({ min: -4, max: 8 }),
      (spans, first, schema) => {
        const positiveSpans = spans.map(({ offset, length }, i) => ({ offset: i === 0 ? first : offset, length }))
        const expected: [number, number][] = []
        const positiveDeltas: number[] = []
        let index = 0
        let before = 0
        for (const { offset, length } of positiveSpans) {
          index += offset
          for (let i = 0; i < length; i += 1, index += 1) {
            const count = (positiveDeltas.length * 7) % 5
            positiveDeltas.push(count - before)
            before = count
            if (count > 0) expected.push([Math.min(2 ** (index * 2 ** -schema), Number.MAX_VALUE), count])
          }
        }
        const read = labelled([{ countInt: 1, sum: 1, schema, timestamp: MS, positiveSpans, positiveDeltas }])
        const [row] = rowsOf(read)
        expect(JSON.parse(String(row?.['buckets'] ?? '[]'))).toEqual(expected)
      },
    ),
  )
})

const target = { format: 'text' as const, atMs: MS, labels: { job: 'node', instance: 'h:1' } }

test('a page of the text format is read with escapes, types, times and values that are no numbers', () => {
  const page = String.raw`# HELP http_requests_total all
# TYPE http_requests_total counter
http_requests_total{method="post",code="200",} 1027 1790000000000
http_requests_total{method="a\"b\\c\nd" , code="400"}  3e-1
# TYPE rpc histogram
rpc_bucket{le="+Inf"} 5
rpc_sum 1.5
free +Inf
job{job="own"} NaN
`
  const rows = rowsOf(decodeExposition(page, target))
  expect(rows.map(({ series: _series, service: _service, instance: _instance, ...row }) => row)).toEqual([
    { time: 1_790_000_000_000_000, name: 'http_requests_total', method: 'post', code: '200', job: 'node', kind: 'counter', value: 1027 },
    { time: MS * 1000, name: 'http_requests_total', method: 'a"b\\c\nd', code: '400', job: 'node', kind: 'counter', value: 0.3 },
    { time: MS * 1000, name: 'rpc_bucket', le: '+Inf', job: 'node', kind: 'histogram', value: 5 },
    { time: MS * 1000, name: 'rpc_sum', job: 'node', kind: 'histogram', value: 1.5 },
    { time: MS * 1000, name: 'free', job: 'node', kind: 'untyped', marker: '+Inf' },
    { time: MS * 1000, name: 'job', exported_job: 'own', job: 'node', kind: 'untyped', marker: 'NaN' },
  ])
})

test('OpenMetrics has seconds, exemplars and an end; what is cut or goes on behind it is refused', () => {
  const page = '# TYPE a counter\na_total{x="1"} 2 1790000000.5 # {trace_id="t"} 0.67 1790000000.1\n# EOF\n'
  const options = { ...target, format: 'openmetrics' as const }
  expect(rowsOf(decodeExposition(page, options))).toMatchObject([
    { time: 1_790_000_000_500_000, name: 'a_total', x: '1', kind: 'counter', value: 2 },
  ])
  expect(decodeExposition(page.replace('# EOF\n', ''), options)).toMatchObject({ code: 'SCUBA_BODY_INVALID' })
  expect(decodeExposition(`${page}b 1\n`, options)).toMatchObject({ details: { atByte: page.length } })
})

test('a line that is no sample refuses the page, with its number and byte', () => {
  for (const line of ['9x 1', 'a{b="1} 2', 'a{b="1",b="2"} 1', 'a', 'a 1 2 3', 'a one'])
    expect(decodeExposition(`ok 1\n${line}\n`, target)).toMatchObject({
      code: 'SCUBA_BODY_INVALID',
      message: expect.stringContaining('line 2') as string,
      details: { atByte: 5 },
    })
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '{', '}', '"', '\\', '=', ',', ' ', '\n', '#', '1', 'é'), maxLength: 60 }),
      (text) => {
        const read = decodeExposition(text, target)
        expect(isRefusal(read) ? read.code : 'rows').toMatch(/^(rows|SCUBA_BODY_INVALID)$/)
      },
    ),
    { numRuns: 1000 },
  )
})
