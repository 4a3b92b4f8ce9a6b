import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { CacheUse, Coverage, PanelAnswer, PanelGroup, QueryAnswer, Receipt, TableInfo } from '../../core/scuba/wire-types.ts'
import type { View } from '../terminal.ts'
import { brailleChart, sparkline } from './scuba-chart.ts'
import { cappedLines } from './scuba-tables.ts'
import { cellText, groupedText, numberText } from './scuba-values.ts'
import { paint } from './style.ts'
import { fields, table, type Column } from './table.ts'
import { count } from './text.ts'

const isNumeric = (type: string): boolean => /INT|DOUBLE|FLOAT|DECIMAL|REAL/.test(type)

/** The rows as a table, then one line that says what they stand on. */
export function renderQuery(answer: QueryAnswer, view: View): string {
  const columns = answer.columns.map(({ name, type }, index): Column<unknown[]> => ({
    title: name,
    cell: (row) => cellText(row[index], type),
    align: isNumeric(type) ? 'right' : 'left',
    canShrink: true,
  }))
  const lines = [table(view, answer.rows, columns, 'No rows.')]
  const { compare } = answer
  if (compare) {
    lines.push('', paint(view, 'dim', `from ${new Date(compare.sinceMs).toISOString()} to ${new Date(compare.untilMs).toISOString()}:`))
    lines.push(table(view, compare.rows, columns, 'No rows.'))
    if (compare.coverage.rows < 1) lines.push(...compare.coverage.missing.map((what) => `missing then: ${what}`))
  }
  lines.push(paint(view, 'dim', `${count(answer.rows.length, 'row')} · ${footing(answer)}`))
  return lines.join('\n')
}

/** `1,200 rows scanned, coverage 100 %, newest 2 s ago, 12 ms, 3 of 4 parts known` */
export function footing({
  rowsScanned,
  coverage,
  elapsedMs,
  cache,
}: {
  rowsScanned: number
  coverage: Coverage
  elapsedMs: number
  cache?: CacheUse
}): string {
  const parts = [`${groupedText(rowsScanned)} rows scanned`, `coverage ${numberText(Math.floor(coverage.rows * 1000) / 10)} %`]
  if (coverage.hotToMs !== null) parts.push(`newest ${new Date(coverage.hotToMs).toISOString()}`)
  parts.push(`${numberText(elapsedMs)} ms`)
  if (cache?.isWhole === true) parts.push('known already')
  else if (cache && cache.hits > 0) parts.push(`${cache.hits} of ${cache.hits + cache.misses} parts known`)
  return [parts.join(', '), ...coverage.missing.map((what) => `missing: ${what}`)].join('\n')
}

const CHART_LINES = 8
const SPARK_WIDTH = 40

/** A table with one line per group; with a step, a sparkline of the first calculation in each, and a chart when there is one group alone. */
export function renderPanel(answer: PanelAnswer, view: View): string {
  const { by, calc, stepMs } = answer
  const columns: Column<PanelGroup>[] = by.map((name) => ({
    title: name,
    cell: (group) => (group.isOther ? '(other)' : cellText(group.key[name], '')),
    canShrink: true,
  }))
  if (by.length === 0) columns.push({ title: 'group', cell: (group) => (group.isOther ? '(other)' : 'all') })
  for (const name of calc) columns.push({ title: name, align: 'right', cell: (group) => valueText(group.values[name]) })
  const earlier = earlierValues(answer)
  if (earlier) columns.push({ title: `${calc[0] ?? ''} then`, align: 'right', cell: (group) => changeText(group, calc[0] ?? '', earlier) })
  if (stepMs !== null)
    columns.push({ title: `${calc[0] ?? ''} per ${formatDuration(stepMs)}`, cell: (group) => sparkline(steps(answer, group), SPARK_WIDTH) })
  const lines = [table(view, answer.groups, columns, 'No rows in this time range.')]
  const only = answer.groups.length === 1 ? answer.groups[0] : undefined
  if (only && stepMs !== null) lines.push('', chart(answer, only, view))
  const hidden = answer.groupCount - answer.groups.filter(({ isOther }) => !isOther).length
  const many = answer.isGroupCountExact ? '' : 'at least '
  const shown = hidden > 0 ? `${many}${count(answer.groupCount, 'group')}, ${hidden} not shown · ` : ''
  lines.push(paint(view, 'dim', `${shown}${footing(answer)}`))
  for (const [name, { note, errorMax }] of Object.entries(answer.accuracy)) {
    if (note !== undefined)
      lines.push(paint(view, 'dim', `${name}: ${errorMax === null ? '' : `within ${numberText(errorMax * 100)} %; `}${note}`))
  }
  if (answer.compare && answer.compare.coverage.rows < 1)
    lines.push(...answer.compare.coverage.missing.map((what) => `missing then: ${what}`))
  return lines.join('\n')
}

const groupId = ({ key, isOther }: PanelGroup): string => JSON.stringify([isOther, key])

function earlierValues({ compare }: PanelAnswer): Map<string, PanelGroup> | null {
  return compare ? new Map(compare.groups.map((group) => [groupId(group), group])) : null
}

/** `120 (+25 %)`: what it was, and by how much it is more now. */
function changeText(group: PanelGroup, calc: string, earlier: ReadonlyMap<string, PanelGroup>): string {
  const then = earlier.get(groupId(group))?.values[calc]
  const now = group.values[calc]
  if (typeof then !== 'number') return '∅'
  if (typeof now !== 'number' || then === 0) return numberText(then)
  const change = Math.round((now / then - 1) * 100)
  return `${numberText(then)} (${change > 0 ? '+' : ''}${change} %)`
}

function valueText(value: number | null | undefined): string {
  return value === null || value === undefined ? '∅' : numberText(value)
}

/** One value per step of the whole range; null where the group has no rows. */
function steps({ sinceMs, untilMs, stepMs, calc }: PanelAnswer, group: PanelGroup): (number | null)[] {
  if (stepMs === null) return []
  const values = new Map(group.series.map(([start, first]) => [start, first ?? null]))
  const from = Math.floor(sinceMs / stepMs) * stepMs
  // The range may begin long before the first row: a chart of nothing tells nothing.
  const first = Math.max(from, Math.min(...group.series.map(([start]) => start), untilMs))
  const isCount = calc[0] === 'count'
  const out: (number | null)[] = []
  for (let at = first; at < untilMs; at += stepMs) out.push(values.get(at) ?? (isCount ? 0 : null))
  return out
}

function chart(answer: PanelAnswer, group: PanelGroup, view: View): string {
  const values = steps(answer, group)
  const width = Math.max(20, Math.min(100, (view.width ?? 80) - 10))
  const { lines, max } = brailleChart(values, width, CHART_LINES)
  const label = (index: number): string => (index === 0 ? numberText(max) : index === lines.length - 1 ? '0' : '')
  const from = answer.untilMs - values.length * (answer.stepMs ?? 0)
  const axis = `${new Date(from).toISOString().slice(11, 19)}${' '.repeat(Math.max(1, width - 16))}${new Date(answer.untilMs).toISOString().slice(11, 19)}`
  return [...lines.map((line, index) => `${label(index).padStart(8)} ${line}`), `${' '.repeat(9)}${axis}`].join('\n')
}

export function renderTables({ tables }: { tables: TableInfo[] }, view: View): string {
  return table(
    view,
    tables,
    [
      { title: 'table', cell: ({ name }) => name },
      { title: 'rows', align: 'right', cell: ({ rows }) => groupedText(rows) },
      { title: 'size', align: 'right', cell: ({ bytes }) => formatSize(bytes) },
      { title: 'columns', align: 'right', cell: ({ columns }) => Object.keys(columns).length },
      { title: 'newest', cell: ({ toMs }) => (toMs === null ? '-' : new Date(toMs).toISOString()) },
      { title: 'segments', align: 'right', isWide: true, cell: ({ segments }) => segments },
      { title: 'chunks', align: 'right', isWide: true, cell: ({ chunks }) => chunks },
      { title: 'kept', isWide: true, cell: ({ retention }) => `${retention.days} d, ${retention.gb} GB` },
    ],
    'No tables yet; a table appears with its first row: `muster scuba send TABLE FILE`.',
  )
}

export function renderTable(info: TableInfo, view: View): string {
  const head = fields(view, [
    ['table', info.name],
    ['rows', groupedText(info.rows)],
    ['size', formatSize(info.bytes)],
    ['from', info.fromMs === null ? null : new Date(info.fromMs).toISOString()],
    ['to', info.toMs === null ? null : new Date(info.toMs).toISOString()],
    ['files', `${count(info.segments, 'segment')}, ${count(info.chunks, 'chunk')}`],
    ['kept', `${info.retention.days} d, ${info.retention.gb} GB`],
  ])
  const columns = table(view, Object.entries(info.columns), [
    { title: 'column', cell: ([name]) => name },
    { title: 'type', cell: ([, type]) => type },
  ])
  return [`${head}\n\n${columns}`, ...cappedLines(info.capped, view)].join('\n')
}

/** What `scuba send` did. */
export interface SendSummary {
  table: string
  accepted: number
  quarantined: number
  /** rows of batches whose key was known */
  duplicate: number
  batches: number
  bytes: number
  elapsedMs: number
  firstErrors: { batch: number; line: number; reason: string }[]
  last: Receipt | null
}

export function renderSend(summary: SendSummary, view: View): string {
  const { table: name, accepted, quarantined, duplicate, bytes, elapsedMs } = summary
  const rate = elapsedMs > 0 ? `, ${numberText(bytes / 1e6 / (elapsedMs / 1000))} MB/s` : ''
  const lines = [
    `${groupedText(accepted)} rows in ${name}${duplicate > 0 ? `, ${groupedText(duplicate)} were there already` : ''} (${count(summary.batches, 'batch', 'batches')}, ${formatSize(bytes)}${rate})`,
  ]
  if (quarantined > 0) {
    lines.push(paint(view, 'yellow', `▲ ${count(quarantined, 'line')} could not become rows: see muster_quarantine`))
    for (const { batch, line, reason } of summary.firstErrors) lines.push(`  batch ${batch}, line ${line}: ${reason}`)
  }
  return lines.join('\n')
}
