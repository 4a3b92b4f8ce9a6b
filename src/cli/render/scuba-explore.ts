import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { ArtefactsStatus } from '../../core/scuba/operations/asking.ts'
import type {
  CacheInfo,
  CacheUse,
  DiffAnswer,
  ExplainAnswer,
  FunnelAnswer,
  SessionsAnswer,
  TraceAnswer,
  TraceSpan,
} from '../../core/scuba/wire-types.ts'
import type { Measured } from '../../server/scuba/measure/run.ts'
import type { View } from '../terminal.ts'
import { cellText, groupedText, numberText } from './scuba-values.ts'
import { footing } from './scuba.ts'
import { mark, paint } from './style.ts'
import { withMissing } from './scuba-missing.ts'
import { fields, table } from './table.ts'
import { count, printable } from './text.ts'

const percent = (share: number | null): string => (share === null ? '' : `${numberText(Math.round(share * 1000) / 10)} %`)
const duration = (ms: number | null): string => (ms === null ? '∅' : formatDuration(ms))

export function renderExplain(answer: ExplainAnswer, view: View): string {
  const head = fields(view, [
    ['tier', answer.tier === 'A' ? 'A: put together from parts of files' : 'B: one SELECT over all rows'],
    ['why not A', answer.why],
    [
      'reads',
      `${groupedText(answer.cells)} values of at most ${groupedText(answer.cellsMax)}${answer.cells > answer.cellsMax ? ': refused' : ''}`,
    ],
    ['artefacts', answer.artefacts.join(', ') || 'none'],
    ['estimate', answer.estimatedMs === null ? 'none yet: nothing was asked before' : `${answer.estimatedMs} ms`],
    [
      'took',
      answer.analyzed &&
        `${numberText(answer.analyzed.elapsedMs)} ms for ${count(answer.analyzed.rows, 'row')}, ${numberText(answer.analyzed.engineMs)} ms of it the engine's`,
    ],
    ['known', answer.analyzed && knownText(answer.analyzed.cache)],
    ['by copy', (answer.analyzed?.byCopy ?? []).map((leaf) => `of ${leaf}`).join(', ') || null],
  ])
  const tables = table(
    view,
    answer.tables,
    [
      { title: 'table', cell: ({ name }) => name },
      { title: 'rows', align: 'right', cell: ({ rows }) => groupedText(rows) },
      { title: 'files', align: 'right', cell: ({ filesAfterPruning, files }) => `${filesAfterPruning} of ${files}` },
      { title: 'segments', align: 'right', cell: ({ segments }) => segments },
      { title: 'chunks', align: 'right', cell: ({ chunks }) => chunks },
      { title: 'known', align: 'right', cell: ({ filesKnown }) => filesKnown },
      { title: 'columns', cell: ({ columns }) => columns.join(', '), canShrink: true },
    ],
    'No table is read.',
  )
  return `${head}\n\n${tables}`
}

const knownText = ({ isWhole, hits, misses }: CacheUse): string =>
  isWhole ? 'the whole answer' : `${groupedText(hits)} of ${groupedText(hits + misses)} parts`

const VALUES_SHOWN = 3

export function renderDiff(answer: DiffAnswer, view: View): string {
  const rows = answer.columns.filter(({ difference }) => difference > 0)
  const body = table(
    view,
    rows,
    [
      { title: 'column', cell: ({ name }) => name },
      { title: 'differs', align: 'right', cell: ({ difference }) => percent(difference) },
      {
        title: 'most, in selection / baseline',
        cell: ({ values, isRanges }) =>
          values
            .slice(0, VALUES_SHOWN)
            .map(
              ({ value, selection, baseline }) =>
                `${isRanges && value !== null ? '≥ ' : ''}${cellText(value, '')}: ${percent(selection)} / ${percent(baseline)}`,
            )
            .join('  '),
        canShrink: true,
      },
    ],
    'No column differs.',
  )
  const sizes = `${groupedText(answer.selectionRows)} rows selected, ${groupedText(answer.baselineRows)} to compare with`
  return `${body}\n${paint(view, 'dim', `${sizes} · ${footing(answer)}`)}`
}

export function renderFunnel(answer: FunnelAnswer, view: View): string {
  const body = table(view, answer.steps, [
    { title: 'step', cell: ({ step }) => step, canShrink: true },
    { title: 'actors', align: 'right', cell: ({ actors }) => groupedText(actors) },
    { title: 'of first', align: 'right', cell: ({ ofFirst }) => percent(ofFirst) },
    { title: 'of step before', align: 'right', cell: ({ ofPrevious }) => percent(ofPrevious) },
    { title: 'took (median)', align: 'right', cell: ({ medianMs }) => (medianMs === null ? '' : formatDuration(medianMs)) },
  ])
  return `${body}\n${paint(view, 'dim', footing(answer))}`
}

export function renderSessions(answer: SessionsAnswer, view: View): string {
  const head = fields(view, [
    ['sessions', groupedText(answer.sessions)],
    ['actors', groupedText(answer.actors)],
    ['rows', groupedText(answer.rows)],
    ['of one row', `${groupedText(answer.bounces)} (${percent(answer.sessions === 0 ? null : answer.bounces / answer.sessions) || '∅'})`],
  ])
  const { duration: long, eventsPerSession: events } = answer
  const spread = table(
    view,
    [
      { name: 'duration', values: [long.p50, long.p90, long.p99, long.max].map(duration) },
      { name: 'rows', values: [events.p50, events.p90, events.p99, events.max].map((value) => (value === null ? '∅' : numberText(value))) },
    ],
    [
      { title: 'per session', cell: ({ name }) => name },
      ...['median', 'p90', 'p99', 'longest'].map((title, at) => ({
        title,
        align: 'right' as const,
        cell: ({ values }: { values: string[] }) => values[at] ?? '',
      })),
    ],
  )
  return `${head}\n\n${spread}\n${paint(view, 'dim', footing(answer))}`
}

const BAR_WIDTH = 40

/** The waterfall: each span where it lies in the trace. */
export function renderTrace(answer: TraceAnswer, view: View): string {
  const spans = table(
    view,
    answer.spans,
    [
      {
        title: 'span',
        cell: ({ depth, name, isError }) =>
          `${'  '.repeat(Math.min(depth, 12))}${isError ? mark(view, 'bad', printable(name)) : printable(name)}`,
        canShrink: true,
      },
      { title: 'service', cell: ({ service }) => printable(service ?? '') },
      { title: 'took', align: 'right', cell: ({ durationMs }) => `${numberText(durationMs)} ms` },
      { title: `0 to ${numberText(answer.durationMs)} ms`, cell: (span) => bar(answer, span) },
    ],
    'No spans of this trace.',
  )
  const rows = answer.rows.map(({ table: from, timeMs, text }) => `${since(timeMs - answer.startMs)}  ${from}  ${printable(text)}`)
  const head = `trace ${answer.trace}, ${new Date(answer.startMs).toISOString()}`
  return [head, '', spans, ...(rows.length > 0 ? ['', ...rows] : []), paint(view, 'dim', footing(answer))].join('\n')
}

const since = (ms: number): string => `${ms < 0 ? '-' : '+'}${duration(Math.round(Math.abs(ms)))}`

function bar({ startMs, durationMs }: TraceAnswer, span: TraceSpan): string {
  const place = (ms: number): number => (durationMs <= 0 ? 0 : Math.round(((ms - startMs) / durationMs) * BAR_WIDTH))
  const from = Math.min(BAR_WIDTH - 1, place(span.startMs))
  const to = Math.min(BAR_WIDTH, Math.max(from + 1, place(span.startMs + span.durationMs)))
  return `${' '.repeat(from)}${'█'.repeat(to - from)}`
}

export function renderMeasured({ figures }: { figures: Measured[] }, view: View): string {
  return table(
    view,
    figures,
    [
      { title: 'what', cell: ({ what }) => what },
      {
        title: 'measured',
        align: 'right',
        cell: ({ value }) => (value >= 1000 ? groupedText(Math.round(value)) : String(Number(value.toPrecision(3)))),
      },
      { title: 'unit', cell: ({ unit }) => unit },
    ],
    'Nothing was measured.',
  )
}

export function renderArtefacts({ artefacts, checked, differences, missing = [] }: ArtefactsStatus, view: View): string {
  const isOne = new Set(artefacts.map(({ leaf }) => leaf)).size < 2
  const listed = table(
    view,
    artefacts,
    [
      { title: 'table', cell: (artefact) => artefact.table },
      { title: 'kind', cell: ({ kind }) => kind },
      { title: 'of', cell: (artefact) => artefact.of, canShrink: true },
      { title: 'segments', align: 'right', cell: ({ segments }) => groupedText(segments) },
      { title: 'size', align: 'right', cell: ({ bytes }) => formatSize(bytes) },
      { title: 'built in', align: 'right', cell: ({ buildMs }) => formatDuration(buildMs) },
      { title: 'uses', align: 'right', cell: ({ uses }) => groupedText(uses) },
      { title: 'saved', align: 'right', cell: ({ savedMs }) => formatDuration(savedMs) },
      { title: 'heat', align: 'right', cell: ({ heatMs }) => formatDuration(heatMs), isWide: true },
      { title: 'leaf', cell: ({ leaf }) => leaf, isWide: isOne },
    ],
    'Nothing is built ahead yet: that follows from questions that are asked often.',
  )
  const compared = `${groupedText(checked)} answers compared with the rows, ${differences === 0 ? 'none' : groupedText(differences)} differed`
  return withMissing(artefacts.length === 0 && checked === 0 ? listed : `${listed}\n${compared}`, missing, view)
}

export function renderCache({ missing = [], ...info }: CacheInfo & { missing?: readonly string[] }, view: View): string {
  const asked = info.partialHits + info.partialMisses
  const shown = fields(view, [
    ['parts kept', `${groupedText(info.entries)}, ${formatSize(info.bytes)} of ${formatSize(info.bytesMax)}`],
    [
      'parts known',
      asked === 0 ? 'none asked for' : `${groupedText(info.partialHits)} of ${groupedText(asked)} (${percent(info.partialHits / asked)})`,
    ],
    [
      'parts on disk',
      `${groupedText(info.diskEntries)}, ${formatSize(info.diskBytes)} of ${formatSize(info.diskBytesMax)}; ${groupedText(info.diskReads)} read back`,
    ],
    ['answers kept', `${groupedText(info.answers)}, ${formatSize(info.answerBytes)}`],
    ['answers known', groupedText(info.answerHits)],
    ['asked together', groupedText(info.shared)],
    ['dropped', groupedText(info.evicted)],
    ['saved', `${formatDuration(info.savedMs)} of the engine`],
  ])
  return withMissing(shown, missing, view)
}
