import { brailleChart, sparkline } from '../../cli/render/scuba-chart.ts'
import { cellText, groupedText, numberText } from '../../cli/render/scuba-values.ts'
import { paint } from '../../cli/render/style.ts'
import { table, type Column } from '../../cli/render/table.ts'
import { printable, truncate } from '../../cli/render/text.ts'
import type { View } from '../../cli/terminal.ts'
import { plainText } from '../../core/scuba/explore/conditions.ts'
import type { Stretch } from '../../core/scuba/explore/explored.ts'
import { chartsOf, groupLabel, stepsOf } from '../../core/scuba/explore/series.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type { DiffAnswer, PanelAnswer, PanelGroup, QueryAnswer } from '../../core/scuba/wire-types.ts'

/** One line of the list of columns: a column, or a value of the one that is opened. */
export interface ColumnLine {
  key: string
  column: string
  type: string
  /** absent: the line of the column itself */
  value?: PanelGroup['key'][string]
  text: string
}

const HIDDEN = new Set(['ingest_time', 'time_source', 'time_original', '_rest', 'time'])
const SIGNS: Record<string, string> = { VARCHAR: 'a', BIGINT: '#', DOUBLE: '#', BOOLEAN: '?', TIMESTAMP: 't' }

/** Columns by name, the opened one with its most frequent values and their shares beneath. */
export function columnLines(
  columns: Readonly<Record<string, string>>,
  asked: Asked,
  opened: { column: string; values: readonly PanelGroup[] | null } | null,
): ColumnLine[] {
  return Object.entries(columns)
    .filter(([column]) => !HIDDEN.has(column))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([column, type]): ColumnLine[] => {
      const mark = asked.by?.includes(column) === true ? '▸' : ' '
      const line = { key: column, column, type, text: `${mark}${SIGNS[type] ?? ' '} ${column}` }
      if (opened?.column !== column) return [line]
      if (opened.values === null) return [line, { key: `${column} …`, column, type, text: '    …' }]
      const sum = opened.values.reduce((total, { values }) => total + (values['count'] ?? 0), 0)
      return [
        line,
        ...opened.values
          .filter(({ isOther }) => !isOther)
          .map((group) => {
            const value = group.key[column] ?? null
            const share = sum === 0 ? 0 : (group.values['count'] ?? 0) / sum
            return { key: `${column}=${plainText(value)}`, column, type, value, text: `  ${percent(share)} ${printable(plainText(value))}` }
          }),
      ]
    })
}

const percent = (share: number): string => `${Math.round(share * 100)}%`.padStart(4)

/** `count by service where status >= 500, against 1w earlier` */
export function questionText({ table: name = '', calc = ['count'], by = [], where = [], since = '1h', until, compare }: Asked): string {
  return [
    `${calc.join(', ')} of ${name}`,
    ...(by.length > 0 ? [`by ${by.join(', ')}`] : []),
    ...(where.length > 0 ? [`where ${where.join(' and ')}`] : []),
    until === undefined ? `last ${since}` : `${since} to ${until}`,
    ...(compare === undefined ? [] : [`against ${compare} earlier`]),
  ].join(' ')
}

/** What the answer stands on, and how old it is. */
export function standText(view: View, answer: PanelAnswer | null, trouble: string, isHeld: boolean): string {
  if (trouble !== '') return paint(view, 'red', `✖ ${trouble}`)
  if (answer === null) return '… asking'
  const { coverage, elapsedMs, rowsScanned } = answer
  const share = Math.floor(coverage.rows * 1000) / 10
  const covered = coverage.rows < 1 ? paint(view, 'yellow', `▲ coverage ${numberText(share)} %`) : 'coverage 100 %'
  return `${isHeld ? '❚❚ held' : '● live'}  ${covered}  ${groupedText(rowsScanned)} rows  ${numberText(elapsedMs)} ms`
}

const AXIS = 9

/** The first calculation as lines of braille, one chart for the group that is chosen, with the step under the cursor and the mark beneath. */
export function chartLines(
  answer: PanelAnswer,
  chosen: number,
  { width, height, cursor, mark }: { width: number; height: number; cursor: number | null; mark: Stretch | null },
): string[] {
  const chart = chartsOf(answer)[0]
  const line = chart?.lines.filter(({ isEarlier }) => !isEarlier)[chosen]
  if (chart === undefined || line === undefined) return ['', '  No rows in this range.']
  const room = Math.max(10, width - AXIS)
  const { lines, max } = brailleChart(line.values, room, Math.max(2, height - 3))
  const placeOf = (ms: number): number => {
    const first = chart.steps[0] ?? 0
    return Math.max(0, Math.min(room - 1, Math.floor(((ms - first) / (chart.steps.length * chart.stepMs)) * room)))
  }
  const below = Array.from({ length: room }, () => ' ')
  if (mark !== null) for (let at = placeOf(mark.fromMs); at <= placeOf(mark.toMs - 1); at += 1) below[at] = '═'
  if (cursor !== null) below[placeOf(cursor)] = '▲'
  const from = clock(answer.sinceMs)
  const to = clock(answer.untilMs)
  const at = cursor === null ? '' : `${clock(cursor)}  ${valueText(line.values[chart.steps.indexOf(cursor)])}`
  const gap = Math.max(1, room - from.length - to.length - at.length)
  const left = Math.floor(gap / 2)
  return [
    truncate(`${' '.repeat(AXIS)}${chart.calc}  ${printable(line.label)}`, width),
    ...lines.map((text, i) => `${(i === 0 ? numberText(max) : i === lines.length - 1 ? '0' : '').padStart(AXIS - 1)} ${text}`),
    `${' '.repeat(AXIS)}${below.join('')}`,
    `${' '.repeat(AXIS)}${from}${' '.repeat(left)}${at}${' '.repeat(gap - left)}${to}`,
  ]
}

export const markText = ({ fromMs, toMs }: Stretch): string => `═ ${clock(fromMs)}–${clock(toMs)}`

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 19)
const valueText = (value: number | null | undefined): string => (value === null || value === undefined ? '∅' : numberText(value))

const SPARK = 24

/** A head, and a line a group. */
export function groupLines(view: View, answer: PanelAnswer): string[] {
  const { by, calc, stepMs, groups } = answer
  const charts = chartsOf(answer)
  const earlier = answer.compare?.groups
  const columns: Column<PanelGroup>[] = [
    { title: by.length === 0 ? 'group' : by.join(' · '), cell: (group) => printable(groupLabel(by, group)), canShrink: true },
    ...calc.map((name): Column<PanelGroup> => ({ title: name, align: 'right', cell: ({ values }) => valueText(values[name]) })),
  ]
  if (earlier !== undefined) {
    const first = calc[0] ?? ''
    const before = (group: PanelGroup): number | null | undefined =>
      earlier.find((it) => groupLabel(by, it) === groupLabel(by, group))?.values[first]
    columns.push({ title: 'earlier', align: 'right', cell: (group) => valueText(before(group)) })
  }
  if (stepMs !== null) columns.push({ title: '', cell: (group) => sparkline(charts[0]?.lines[groups.indexOf(group)]?.values ?? [], SPARK) })
  return table(view, groups, columns, 'No rows in this range.').split('\n')
}

/** What a row is about, before what it is of: a narrow terminal has no room for more. */
const FIRST = ['time', 'severity', 'status', 'body', 'message', 'name', 'duration_ms', 'latency_ms']
const rankOf = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length)

/** A head, and a line a row, the columns that say something, `time` first. */
export function rowLines(view: View, { columns, rows }: Pick<QueryAnswer, 'columns' | 'rows'>): string[] {
  const shown = columns
    .map(({ name, type }, at) => ({ name, type, at }))
    .filter(({ name, at }) => (!HIDDEN.has(name) || name === 'time') && rows.some((row) => row[at] !== null && row[at] !== ''))
    .toSorted((a, b) => rankOf(a.name) - rankOf(b.name))
  const dayOf = (row: readonly unknown[]): string =>
    shown.map(({ name, type, at }) => (name === 'time' ? cellText(row[at], type).slice(0, 10) : '')).join('')
  const isOneDay = new Set(rows.map(dayOf)).size === 1
  const cell = (value: unknown, name: string, type: string): string => cellText(value, type).slice(isOneDay && name === 'time' ? 11 : 0)
  return table(
    { ...view, width: Math.max(view.width ?? 80, shown.length * 18) },
    rows as unknown[][],
    shown.map(({ name, type, at }): Column<unknown[]> => ({ title: name, cell: (row) => cell(row[at], name, type), canShrink: true })),
    'No rows.',
  ).split('\n')
}

/** A head, and per column that differs its values with both shares. */
export function diffLines(view: View, { columns, selectionRows, baselineRows }: DiffAnswer): string[] {
  const lines = columns.flatMap(({ name, difference, values }) =>
    values.slice(0, 3).map((value, i) => ({ name: i === 0 ? name : '', difference: i === 0 ? percent(difference) : '', ...value })),
  )
  return table(
    view,
    lines,
    [
      { title: 'differs', align: 'right', cell: (line) => line.difference },
      { title: 'column', cell: (line) => line.name },
      { title: `here (${groupedText(selectionRows)})`, align: 'right', cell: (line) => percent(line.selection) },
      { title: `else (${groupedText(baselineRows)})`, align: 'right', cell: (line) => percent(line.baseline) },
      { title: 'value', cell: (line) => printable(plainText(line.value)), canShrink: true },
    ],
    'No column differs.',
  ).split('\n')
}

/** The step so many from one, within the answer; from nowhere it begins at the newest. */
export function stepBeside(answer: PanelAnswer, from: number | null, by: number): number | null {
  const steps = stepsOf(answer)
  const at = from === null ? steps.length - 1 : steps.indexOf(from)
  return steps[Math.max(0, Math.min(steps.length - 1, at < 0 ? steps.length - 1 : at + (from === null ? 0 : by)))] ?? null
}
