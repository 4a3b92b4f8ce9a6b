import { expect, test } from 'vitest'
import { brailleChart, sparkline } from '../../../src/cli/render/scuba-chart.ts'
import { cellText, groupedText, numberText } from '../../../src/cli/render/scuba-values.ts'
import { renderArtefacts } from '../../../src/cli/render/scuba-explore.ts'
import { renderReceipts } from '../../../src/cli/render/scuba-keeping.ts'
import { renderPanel, renderQuery } from '../../../src/cli/render/scuba.ts'
import { listFlag, paramsFlag } from '../../../src/cli/flags/query.ts'
import { durationFlag, timeFlag } from '../../../src/cli/flags/time.ts'
import { PLAIN } from '../../../src/cli/terminal.ts'
import type { PanelAnswer, QueryAnswer } from '../../../src/core/scuba/wire-types.ts'

const coverage = { rows: 1, segments: 0, chunks: 1, leaves: 1, fromMs: 0, toMs: 1_700_000_000_000, hotToMs: 1_700_000_000_000, missing: [] }

test('a sparkline grows with its values and leaves a blank where there is none', () => {
  expect(sparkline([0, 1, 2, null, 4], 40)).toBe('▁▃▅ █')
  expect(sparkline([0, 0], 40)).toBe('▁▁')
  expect(sparkline([], 40)).toBe('')
  expect(
    sparkline(
      Array.from({ length: 1000 }, (_, i) => i),
      10,
    ),
  ).toHaveLength(10)
})

test('a braille chart has its largest value in the first line, zero in the last, and is as large as asked', () => {
  const { lines, max } = brailleChart([0, 0, 10, 10, 0], 10, 4)
  expect(max).toBe(10)
  expect(lines.map((line) => line.length)).toEqual([10, 10, 10, 10])
  expect(lines[0]).toMatch(/[^\u2800]/)
  expect(lines[3]?.[0]).not.toBe('\u2800')
  expect(brailleChart([], 5, 2).lines.join('')).toBe('\u2800'.repeat(10))
})

test('a query is a table and a line that says what it stands on; a partial one says what is missing', () => {
  const answer: QueryAnswer = {
    columns: [
      { name: 'version', type: 'VARCHAR' },
      { name: 'n', type: 'BIGINT' },
      { name: 'at', type: 'TIMESTAMP' },
    ],
    rows: [
      ['v1', 12, 1_700_000_000_000],
      [null, 7, null],
    ],
    rowsScanned: 12_345,
    exact: true,
    tier: 'B',
    engineMs: 1,
    cache: { isWhole: false, hits: 0, misses: 0 },
    elapsedMs: 12.3,
    coverage: { ...coverage, rows: 0.9996, missing: ['requests: 5 rows of segments that are lost'] },
  }
  expect(renderQuery(answer, PLAIN)).toBe(
    [
      'VERSION   N  AT',
      'v1       12  2023-11-14T22:13:20.000Z',
      '∅         7  ∅',
      '2 rows · 12,345 rows scanned, coverage 99.9 %, newest 2023-11-14T22:13:20.000Z, 12.3 ms',
      'missing: requests: 5 rows of segments that are lost',
    ].join('\n'),
  )
})

test('a panel has a line per group, the others last, a sparkline per step, and counts what it does not show', () => {
  const answer: PanelAnswer = {
    table: 'requests',
    by: ['version'],
    calc: ['count', 'p99:latency_ms'],
    stepMs: 1000,
    sinceMs: 0,
    untilMs: 4000,
    groupCount: 5,
    isGroupCountExact: true,
    accuracy: { count: { exact: true, errorMax: 0 }, 'p99:latency_ms': { exact: false, errorMax: 0.01 } },
    tier: 'A',
    cache: { isWhole: false, hits: 1, misses: 1 },
    rowsScanned: 10,
    elapsedMs: 1,
    coverage,
    groups: [
      {
        key: { version: 'v1' },
        isOther: false,
        values: { count: 8, 'p99:latency_ms': 12.3456 },
        series: [
          [1000, 4, 1],
          [3000, 4, 1],
        ],
      },
      { key: { version: null }, isOther: true, values: { count: 2, 'p99:latency_ms': null }, series: [] },
    ],
  }
  expect(renderPanel(answer, PLAIN)).toBe(
    [
      'VERSION  COUNT  P99:LATENCY_MS  COUNT PER 1S',
      'v1           8           12.35  █▁█',
      '(other)      2               ∅',
      '5 groups, 4 not shown · 10 rows scanned, coverage 100 %, newest 2023-11-14T22:13:20.000Z, 1 ms, 1 of 2 parts known',
    ].join('\n'),
  )
})

test('values are printed without surprises', () => {
  expect([
    cellText({ a: 1 }, 'STRUCT'),
    cellText('a\nb', 'VARCHAR'),
    cellText(0.1 + 0.2, 'DOUBLE'),
    numberText(12_345.678),
    groupedText(1_234_567),
  ]).toEqual(['{"a":1}', 'a b', '0.3', '12346', '1,234,567'])
})

test('flags are read as people write them, and refused with their name', () => {
  const now = 1_700_000_000_000
  expect([timeFlag('since', '15m', now), timeFlag('since', '2023-11-14T22:00:00Z', now), timeFlag('since', undefined, now)]).toEqual([
    now - 900_000,
    1_699_999_200_000,
    undefined,
  ])
  expect(() => timeFlag('since', 'yesterday', now)).toThrow(/--since/)
  expect(() => durationFlag('step', '0s', 1)).toThrow(/--step/)
  expect(paramsFlag(['min=500', 'name=a=b', 'ok=true', 'zip=007', 'big=12345678901234567890'])).toEqual({
    min: 500,
    name: 'a=b',
    ok: true,
    zip: '007',
    big: '12345678901234567890',
  })
  expect(listFlag(['count,ratio(status in (500, 503)),p99:x', 'max:y'])).toEqual(['count', 'ratio(status in (500, 503))', 'p99:x', 'max:y'])
})

test('artefacts are listed with what they cost and saved, and how many answers were compared', () => {
  const rollup = { table: 'requests', kind: 'rollup' as const, of: 'minute by service', segments: 3, bytes: 2_000_000, rows: 5000 }
  const artefacts = [{ ...rollup, buildMs: 1500, heatMs: 10, uses: 12, savedMs: 90_000 }]
  const shown = renderArtefacts({ artefacts, checked: 1, differences: 0 }, PLAIN)
  expect(shown).toMatch(/requests\s+rollup\s+minute by service\s+3\s+.*1m30s?/)
  expect(shown).toContain('1 answers compared with the rows, none differed')
  expect(renderArtefacts({ artefacts: [], checked: 0, differences: 0 }, PLAIN)).toBe(
    'Nothing is built ahead yet: that follows from questions that are asked often.',
  )
})

test('receipts say what came under a key, or that nothing did', () => {
  const receipt = {
    table: 'requests',
    key: 'run-1',
    accepted: 1200,
    quarantined: 0,
    receivedMs: 0,
    dedupeUntilMs: 86_400_000,
    digest: 'ab',
  }
  expect(renderReceipts({ receipts: [{ ...receipt, leaf: 'a' }], missing: ['leaf b: does not answer'] }, PLAIN)).toMatch(
    /requests\s+run-1\s+1,200\s+0\s+1970-01-01T00:00:00.000Z\s+1970-01-02/,
  )
  expect(renderReceipts({ receipts: [], missing: [] }, PLAIN)).toContain('No batch came under this key')
})
