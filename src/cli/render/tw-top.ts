import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { FleetCapacity, FleetCell, FleetSummary, JobCounts } from '../../core/tw/queries.ts'
import { mergeCells } from '../../core/tw/views/fleet-cells.ts'
import type { View } from '../terminal.ts'
import { mark, paint, type Color } from './style.ts'
import { table } from './table.ts'
import { count, plain, textWidth, truncate, wrap } from './text.ts'
import { amountsText } from './tw-entitlements.ts'
import { ago, cpuText } from './tw-words.ts'

/** Pieces of `tw top`, which the screen and its plain twin share. */

const LABEL = 10
const BAR = 16

/** Parts per million of the fullest dimension. */
export function reservedPpm(cell: Pick<FleetCell, 'cpuMilli' | 'cpuReserved' | 'memoryBytes' | 'memoryReserved'>): number {
  const share = (used: number, total: number): number => (total === 0 ? 0 : Math.floor((used / total) * 1e6))
  return Math.max(share(cell.cpuReserved, cell.cpuMilli), share(cell.memoryReserved, cell.memoryBytes))
}

const SHADES: readonly { below: number; glyph: string; color: Color }[] = [
  { below: 50_000, glyph: '·', color: 'dim' },
  { below: 400_000, glyph: '░', color: 'green' },
  { below: 700_000, glyph: '▒', color: 'green' },
  { below: 900_000, glyph: '▓', color: 'yellow' },
  { below: Number.POSITIVE_INFINITY, glyph: '█', color: 'red' },
]

/** One cell as one glyph: how much is reserved, or that nodes of it are lost or closed. */
export function cellGlyph(view: View, cell: FleetCell): string {
  if (cell.lost === cell.nodes) return paint(view, 'red', '✖')
  if (cell.lost > 0) return paint(view, 'red', '▲')
  if (cell.closed === cell.nodes) return paint(view, 'blue', '○')
  const ppm = reservedPpm(cell)
  const shade = SHADES.find(({ below }) => ppm < below)
  return paint(view, shade?.color ?? 'dim', shade?.glyph ?? ' ')
}

export const HEAT_LEGEND = '· empty  ░ <40 %  ▒ <70 %  ▓ <90 %  █ fuller  ○ closed  ▲ some lost  ✖ lost'

/**
 * The heat map in at most `rowsMax` lines of `width` columns: each region begins a line, and neighbours become one cell until all
 * fits. Regions that still find no room are counted in the last line.
 */
export function heatLines(view: View, summary: Pick<FleetSummary, 'regions'>, width: number, rowsMax: number): string[] {
  const perLine = Math.max(8, width - LABEL)
  const linesAt = (each: number): number =>
    summary.regions.reduce((sum, { cells }) => sum + Math.ceil(Math.ceil(cells.length / each) / perLine), 0)
  let each = 1
  const cellsMost = Math.max(1, ...summary.regions.map(({ cells }) => cells.length))
  while (linesAt(each) > rowsMax && each < cellsMost) each += 1
  const lines = summary.regions.flatMap(({ region, cells }) => {
    const merged = mergeCells(cells, each)
    return Array.from({ length: Math.ceil(merged.length / perLine) }, (_, i) => {
      const glyphs = merged.slice(i * perLine, (i + 1) * perLine).map((cell) => cellGlyph(view, cell))
      return `${truncate(i === 0 ? region : '', LABEL - 1).padEnd(LABEL)}${glyphs.join('')}`
    })
  })
  if (lines.length <= rowsMax) return lines
  return [...lines.slice(0, Math.max(0, rowsMax - 1)), paint(view, 'dim', `… and ${count(lines.length - rowsMax + 1, 'more region')}`)]
}

function amount(dimension: FleetCapacity['dimension'], value: number): string {
  return dimension === 'cpu' ? cpuText(value) : formatSize(value)
}

/** `cpu     ▓▓▓▓▓▓░░░▒▒····  45 % reserved, 3 % stranded, 12 of 64`. */
export function capacityLines(view: View, capacity: readonly FleetCapacity[]): string[] {
  return capacity.map(({ dimension, total, reserved, stranded }) => {
    const share = (value: number): number => (total === 0 ? 0 : value / total)
    const used = Math.min(BAR, Math.round(share(reserved) * BAR))
    const lame = Math.min(BAR - used, Math.round(share(stranded) * BAR))
    const bar = `${'█'.repeat(used)}${paint(view, 'yellow', '▒'.repeat(lame))}${paint(view, 'dim', '·'.repeat(BAR - used - lame))}`
    const text = `${percent(share(reserved))} reserved, ${percent(share(stranded))} stranded`
    return `${dimension.padEnd(LABEL)}${bar}  ${text}, ${amount(dimension, reserved)} of ${amount(dimension, total)}`
  })
}

function percent(share: number): string {
  const value = share * 100
  return `${value > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0)} %`
}

/** Nodes and tasks, a line each. */
export function totalLines(view: View, { nodes, tasks }: FleetSummary): string[] {
  const parts = (list: (string | false)[]): string => list.filter((part) => part !== false).join('  ')
  return [
    `${'nodes'.padEnd(LABEL)}${parts([
      `${nodes.total}`,
      mark(view, 'ok', `${nodes.ready} ready`),
      nodes.closed > 0 && mark(view, 'off', `${nodes.closed} closed`),
      nodes.lost > 0 && mark(view, 'bad', `${nodes.lost} lost`),
    ])}`,
    `${'tasks'.padEnd(LABEL)}${parts([
      `${tasks.wanted} wanted`,
      mark(view, tasks.healthy >= tasks.wanted ? 'ok' : 'warn', `${tasks.healthy} healthy`),
      tasks.running > tasks.healthy && mark(view, 'warn', `${tasks.running - tasks.healthy} not healthy`),
      tasks.placed > tasks.running && mark(view, 'busy', `${tasks.placed - tasks.running} starting`),
      tasks.pending > 0 && mark(view, 'bad', `${tasks.pending} pending`),
      tasks.leftover > 0 && mark(view, 'busy', `${tasks.leftover} leaving`),
    ])}`,
  ]
}

export function jobMark(view: View, job: JobCounts): string {
  if (job.state === 'stopped') return mark(view, 'off', 'stopped')
  if (job.pending > 0) return mark(view, 'bad', 'pending')
  if (job.leftover > 0) return mark(view, 'busy', 'updating')
  if (job.wanted === 0) return mark(view, 'off', 'idle')
  if (job.kind === 'batch' && job.placed === 0) return mark(view, 'ok', 'complete')
  return job.healthy < job.placed ? mark(view, 'warn', 'unhealthy') : mark(view, 'ok', 'healthy')
}

export function jobTable(view: View, jobs: readonly JobCounts[]): string[] {
  return table(
    view,
    jobs,
    [
      { title: 'job', cell: (job) => job.job, canShrink: true },
      { title: 'state', cell: (job) => jobMark(view, job) },
      { title: 'want', cell: (job) => job.wanted, align: 'right' },
      { title: 'run', cell: (job) => job.running, align: 'right' },
      { title: 'healthy', cell: (job) => job.healthy, align: 'right' },
      { title: 'pending', cell: (job) => job.pending, align: 'right' },
      { title: 'old', cell: (job) => job.leftover, align: 'right' },
      { title: 'version', cell: (job) => `v${job.version}` },
      { title: 'kind', cell: (job) => job.kind, isWide: true },
      { title: 'prio', cell: (job) => job.priority, align: 'right', isWide: true },
      { title: 'restarts', cell: (job) => job.restarts, align: 'right', isWide: true },
      { title: 'owner', cell: (job) => job.owner, isWide: true },
    ],
    'No jobs. Make a file with `muster tw init` and run it with `muster tw job run FILE`.',
  ).split('\n')
}

export function ownerTable(view: View, owners: FleetSummary['owners']): string[] {
  return table(
    view,
    owners,
    [
      { title: 'owner', cell: (it) => it.name },
      { title: 'guaranteed', cell: (it) => amountsText(it.guaranteed), canShrink: true },
      { title: 'used', cell: (it) => amountsText(it.used), canShrink: true },
      { title: 'tasks', cell: (it) => it.tasks, align: 'right' },
      { title: 'quota', cell: (it) => (it.quota === null ? '-' : amountsText(it.quota)), canShrink: true },
      {
        title: 'cover',
        cell: (it) => mark(view, it.lacking === null ? 'ok' : 'bad', it.lacking === null ? 'covered' : `lacks ${it.lacking}`),
      },
    ],
    'Nobody is guaranteed anything: all capacity is shared.',
  ).split('\n')
}

export interface PlacedCell extends FleetCell {
  region: string
}

export function cellTable(view: View, cells: readonly PlacedCell[], cellOf: FleetSummary['cellOf']): string[] {
  return table(view, cells, [
    { title: '', cell: (cell) => cellGlyph(view, cell) },
    { title: cellOf, cell: (cell) => cell.name, canShrink: true },
    { title: 'region', cell: (cell) => cell.region },
    { title: 'nodes', cell: (cell) => cell.nodes, align: 'right' },
    { title: 'lost', cell: (cell) => cell.lost, align: 'right' },
    { title: 'closed', cell: (cell) => cell.closed, align: 'right' },
    { title: 'tasks', cell: (cell) => cell.tasks, align: 'right' },
    { title: 'cpu', cell: (cell) => percent(cell.cpuMilli === 0 ? 0 : cell.cpuReserved / cell.cpuMilli), align: 'right' },
    { title: 'memory', cell: (cell) => percent(cell.memoryBytes === 0 ? 0 : cell.memoryReserved / cell.memoryBytes), align: 'right' },
  ]).split('\n')
}

export function hotTable(view: View, hot: FleetSummary['hot']): string[] {
  return table(
    view,
    hot,
    [
      { title: 'hot node', cell: (node) => node.node },
      { title: 'place', cell: (node) => node.place, canShrink: true },
      { title: 'cpu', cell: (node) => percent(node.cpuPpm / 1e6), align: 'right' },
      { title: 'memory', cell: (node) => percent(node.memoryPpm / 1e6), align: 'right' },
      { title: 'tasks', cell: (node) => node.tasks, align: 'right' },
    ],
    'No node has a task.',
  ).split('\n')
}

/** What is pending and why, then what goes on; at most `max` lines, broken between words where the view has a width. */
export function concernLines(view: View, summary: FleetSummary, max: number): string[] {
  const pending = summary.pending.map(({ group, count: n, code, why }) => {
    const text = `${group}: ${count(n, 'task')} pending${code === null ? '' : ` (${code})`}`
    return `${mark(view, code === null ? 'busy' : 'bad', text)}${why === '' ? '' : `. ${why}`}`
  })
  const doing = summary.doing.map(({ kind, target, text, sinceMs }) =>
    mark(view, 'busy', `${kind} of ${target} for ${ago(sinceMs, summary.nowMs)}: ${text}`),
  )
  const uncovered = summary.owners.flatMap(({ name, lacking }) =>
    lacking === null ? [] : mark(view, 'warn', `what ${name} is guaranteed has no room after the loss it is covered for (${lacking})`),
  )
  const blocks = [...pending, ...uncovered, ...doing].map((text) => (view.width === null ? [text] : indented(text, view.width)))
  const lines: string[] = []
  for (const [i, block] of blocks.entries()) {
    const isLast = i === blocks.length - 1
    if (lines.length + block.length > max - (isLast ? 0 : 1)) {
      const rest = blocks.length - i
      return [...lines, rest === 1 ? (block[0] ?? '') : paint(view, 'dim', `… and ${rest} more`)]
    }
    lines.push(...block)
  }
  return lines
}

/** In lines of the width, the ones behind the first set in by two; a coloured text that needs several loses its colours. */
function indented(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text]
  return wrap(plain(text), width - 2).map((line, i) => (i === 0 ? line : `  ${line}`))
}

/** The plain twin: everything of one picture. */
export function renderTop(view: View, summary: FleetSummary): string {
  const width = view.width ?? 120
  const cells = `one cell: ${summary.cellOf === 'racks' ? 'some racks' : `a ${summary.cellOf}`}   ${HEAT_LEGEND}`
  const concerns = concernLines(view, summary, Number.POSITIVE_INFINITY)
  const rest = summary.jobsTotal - summary.jobs.length
  return [
    ...totalLines(view, summary),
    ...capacityLines(view, summary.capacity),
    '',
    ...(summary.nodes.total === 0 ? ['No nodes. `muster up` starts a fleet.'] : heatLines(view, summary, width, Number.POSITIVE_INFINITY)),
    paint(view, 'dim', cells),
    '',
    ...jobTable(view, summary.jobs),
    ...(rest > 0 ? [paint(view, 'dim', `… and ${count(rest, 'more job')}`)] : []),
    ...(concerns.length > 0 ? ['', ...concerns] : []),
    ...(summary.hot.length > 0 ? ['', ...hotTable(view, summary.hot)] : []),
    ...(summary.owners.length > 0 ? ['', ...ownerTable(view, summary.owners)] : []),
  ].join('\n')
}

/** `● live`, or how old the picture is. */
export function ageText(view: View, ageMs: number): string {
  return ageMs > 5000 ? paint(view, 'yellow', `▲ picture ${formatDuration(Math.floor(ageMs / 1000) * 1000)} old`) : '● live'
}
