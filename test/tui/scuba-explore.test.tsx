import { render } from 'ink-testing-library'
import { expect, test, vi } from 'vitest'
import { textWidth } from '../../src/cli/render/text.ts'
import type { Asked } from '../../src/core/scuba/saved/schema.ts'
import type { DiffRequest, PanelAnswer, PanelGroup, PanelRequest, QueryRequest } from '../../src/core/scuba/wire-types.ts'
import { HELP } from '../../src/tui/scuba-explore/keys.ts'
import { ScubaExploreScreen } from '../../src/tui/scuba-explore/screen.tsx'

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 40))
const NOW = 1_790_000_000_000
const STEP = 60_000

const coverage = { rows: 1, segments: 1, chunks: 0, leaves: 1, fromMs: null, toMs: null, hotToMs: NOW, missing: [] }

/** What the store would say: 10 rows a step, of which `eu` has most. */
function answerTo({
  table,
  calc,
  by = [],
  lastMs = 3_600_000,
  untilMs = NOW,
  sinceMs = untilMs - lastMs,
  stepMs = STEP,
}: PanelRequest): PanelAnswer {
  const keys = by[0] === 'status' ? [200, 503] : by.length > 0 ? ['eu', 'us'] : [null]
  const first = Math.floor(sinceMs / stepMs) * stepMs
  const steps = Array.from({ length: Math.min(120, Math.floor((untilMs - first) / stepMs)) }, (_, i) => first + i * stepMs)
  const groups = keys.map((key, i): PanelGroup => ({
    key: Object.fromEntries(by.map((column) => [column, key])),
    isOther: false,
    values: Object.fromEntries(calc.map((name) => [name, i === 0 ? 90 : 10])),
    series: steps.map((at) => [at, ...calc.map(() => 10 - i)] as [number, ...number[]]),
  }))
  const exact = Object.fromEntries(calc.map((name) => [name, { isExact: true }])) as unknown as PanelAnswer['accuracy']
  return {
    ...{ table, by: [...by], calc, stepMs, sinceMs, untilMs, groups, groupCount: groups.length, isGroupCountExact: true, accuracy: exact },
    ...{ tier: 'A', cache: { hits: 0, misses: 1 } as unknown as PanelAnswer['cache'], rowsScanned: 1234, coverage, elapsedMs: 3 },
  }
}

async function open(asked: Asked = {}, size = { rows: 24, columns: 80 }) {
  const panels: PanelRequest[] = []
  const queries: QueryRequest[] = []
  const diffs: DiffRequest[] = []
  let isLeft = false
  const app = render(
    <ScubaExploreScreen
      asked={asked}
      hasColor={false}
      size={size}
      onQuit={() => (isLeft = true)}
      source={{
        context: 'default',
        clock: () => NOW,
        tables: () =>
          Promise.resolve([
            { name: 'muster_logs', rows: 9, columns: {} },
            { name: 'requests', rows: 5, columns: { time: 'TIMESTAMP', region: 'VARCHAR', latency_ms: 'DOUBLE', status: 'BIGINT' } },
          ] as never),
        panel: (request) => {
          panels.push(request)
          return request.where?.includes('nonsense')
            ? Promise.reject(new Error('there is no column nonsense'))
            : Promise.resolve(answerTo(request))
        },
        query: (request) => {
          queries.push(request)
          return Promise.resolve({
            columns: [
              { name: 'region', type: 'VARCHAR' },
              { name: 'time', type: 'TIMESTAMP' },
            ],
            rows: [['eu', NOW]],
          } as never)
        },
        diff: (request) => {
          diffs.push(request)
          const values = [{ value: 'eu', selection: 0.9, baseline: 0.1 }]
          return Promise.resolve({ columns: [{ name: 'region', difference: 0.8, values }], selectionRows: 90, baselineRows: 10 } as never)
        },
      }}
    />,
  )
  await vi.waitFor(() => expect(app.lastFrame()).toContain('● live'))
  await settle()
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) {
      app.stdin.write(key)
      await settle()
    }
  }
  return { app, panels, queries, diffs, press, frame: () => app.lastFrame() ?? '', isLeft: () => isLeft }
}

const RIGHT = '\u001b[C'
const LEFT = '\u001b[D'
const TAB = '\t'

test('it opens on requests, with its columns, a chart and the groups, and fits 80 columns and 24 lines', async () => {
  const { frame, panels } = await open()
  expect(panels.at(-1)).toMatchObject({ table: 'requests', calc: ['count'], lastMs: 3_600_000 })
  const lines = frame().split('\n')
  expect(lines[0]).toContain('● live  coverage 100 %  1,234 rows')
  expect(lines[1]).toBe('count of requests last 1h')
  expect(frame()).toMatch(/# latency_ms/)
  expect(frame()).toMatch(/[⠁-⣿]{20}/)
  expect(lines.length).toBeLessThanOrEqual(24)
  for (const line of lines) expect(textWidth(line), line).toBeLessThanOrEqual(80)
})

test('Enter that comes in one piece with what was typed before it ends the text', async () => {
  const { press, frame, panels } = await open()
  await press('/', 'status >= 500\r')
  await vi.waitFor(() => expect(panels.at(-1)?.where).toBe('status >= 500'))
  expect(frame()).not.toContain('where status >= 500▏')
})

test('what is pasted is no keys: it goes into a text in one line, and elsewhere does nothing', async () => {
  const { press, frame, isLeft } = await open()
  const paste = (text: string): string => `\u001b[200~${text}\u001b[201~`
  await press(paste('garbage\nqqq:q\r'))
  expect(isLeft()).toBe(false)
  await press('/', paste("service = 'a'\n\tAND status = 500\u0007"))
  await vi.waitFor(() => expect(frame()).toContain("where service = 'a' AND status = 500 ▏"))
})

test('the help fits 80 columns', () => {
  for (const line of HELP) expect(textWidth(line), line).toBeLessThanOrEqual(80)
})

test('a column is opened, a value of it becomes a condition, and ! takes it out again', async () => {
  const { frame, panels, press } = await open()
  // latency_ms, region, status
  await press('j', 'j', '\r')
  expect(panels.at(-1)).toMatchObject({ by: ['status'], calc: ['count'], top: 10 })
  expect(frame()).toContain('90% 200')
  await press('j', '\r')
  expect(frame()).toContain('where status = 200')
  expect(panels.at(-1)?.where).toBe('status = 200')
  await press('x')
  expect(frame().split('\n')[1]).toBe('count of requests last 1h')
  await press('!')
  expect(panels.at(-1)?.where).toBe('status IS DISTINCT FROM 200')
})

test('b groups, c proposes the p99 of a number, C compares, t sets the range, y says the command', async () => {
  const { frame, panels, press } = await open()
  await press('c')
  expect(frame()).toContain('calculate p99:latency_ms▏')
  await press('\r', 'j', 'b', 'C', 't')
  for (const key of '6h') await press(key)
  await press('\r')
  expect(panels.at(-1)).toMatchObject({ calc: ['count', 'p99:latency_ms'], by: ['region'], compare: '1w', lastMs: 6 * 3_600_000 })
  await press('y')
  expect(frame()).toContain('muster scuba panel requests --calc count,p99:latency_ms --by region')
})

test('a stretch is marked in the chart, its rows and what is different in it are shown, z zooms to it', async () => {
  const { frame, panels, queries, diffs, press } = await open({ table: 'requests', by: ['region'] })
  await press(TAB, RIGHT, RIGHT, 'm', LEFT, LEFT, 'm')
  expect(frame()).toMatch(/═ \d\d:\d\d:\d\d–\d\d:\d\d:\d\d/)
  await press('\r')
  const { sinceMs = 0, untilMs = 0, sql } = queries.at(-1) ?? { sql: '' }
  expect(sql).toBe('SELECT * FROM requests ORDER BY time DESC LIMIT 200')
  expect(untilMs - sinceMs).toBe(3 * (panels[0]?.stepMs ?? 0))
  expect(frame()).toMatch(/TIME +REGION/)
  await press('D')
  expect(diffs.at(-1)?.select).toContain(`"time" >= make_timestamp(${sinceMs * 1000})`.replaceAll('"', ''))
  expect(frame()).toMatch(/80% +region +90% +10% +eu/)
  await press('z')
  expect(panels.at(-1)).toMatchObject({ sinceMs, untilMs })
})

test('a question the store refuses is said in the head, and what was seen before stays', async () => {
  const { frame, press } = await open({ table: 'requests' })
  await press('/')
  for (const key of 'nonsense = 1') await press(key)
  await press('\r')
  expect(frame()).toContain('✖ there is no column nonsense')
  expect(frame()).toMatch(/[⠁-⣿]{20}/)
})

test('q leaves; : names another table', async () => {
  const { frame, panels, press, isLeft } = await open()
  await press(':')
  for (const key of 'muster_logs') await press(key)
  await press('\r')
  expect(panels.at(-1)?.table).toBe('muster_logs')
  expect(frame()).toContain('count of muster_logs')
  await press('q')
  expect(isLeft()).toBe(true)
})
