import { formatSize } from '../../core/kernel/units.ts'
import type { z } from 'zod'
import type { scubaDerivedList } from '../../core/scuba/operations/derived.ts'
import type { scubaQuarantineList, scubaQuarantineReplay, scubaQuarantineShow } from '../../core/scuba/operations/quarantine.ts'
import type { scubaColumnList, scubaTablePut } from '../../core/scuba/operations/tables.ts'
import { CAPS, type Cap, type CapCounts } from '../../core/scuba/rows/caps.ts'
import type { View } from '../terminal.ts'
import { groupedText } from './scuba-values.ts'
import { withMissing } from './scuba-missing.ts'
import { mark, paint } from './style.ts'
import { table } from './table.ts'
import { count } from './text.ts'

type Out<Def extends { output: z.ZodType }> = z.output<Def['output']>

const at = (ms: number): string => new Date(ms).toISOString()

/** The verdict, and what it stands on. */
export function renderDeclared({ table: name, version, verdict, changes }: Out<typeof scubaTablePut>, view: View): string {
  const shown = verdict === 'breaking' ? mark(view, 'warn', verdict) : mark(view, 'ok', verdict)
  const head =
    verdict === 'same' ? `${name} is declared so already (version ${version}).` : `${name} is declared, version ${version}: ${shown}`
  return [head, ...changes.map((change) => `  ${change.verdict.padEnd(10)}  ${change.text}`)].join('\n')
}

/** What rows met of their table's bounds, a line each. */
export function cappedLines(capped: CapCounts | undefined, view: View): string[] {
  const met = Object.entries(capped ?? {}).filter(([, times]) => times > 0)
  return met.map(([cap, times]) => mark(view, 'warn', `${groupedText(times)} ${CAPS[cap as Cap]}`))
}

export function renderColumns({ columns, capped, columnsMax, sinceMs, missing }: Out<typeof scubaColumnList>, view: View): string {
  const rows = table(view, columns, [
    { title: 'column', cell: ({ name }) => name },
    { title: 'type', cell: ({ type, broken }) => (broken === null ? type : mark(view, 'bad', 'broken')) },
    { title: 'origin', cell: ({ origin }) => origin },
    { title: 'conflicts', align: 'right', cell: ({ conflicts }) => (conflicts === null ? null : groupedText(conflicts)) },
    { title: 'distinct', align: 'right', cell: ({ distinct, distinctMax }) => distinctText(distinct, distinctMax) },
    { title: 'size', align: 'right', cell: ({ bytes }) => (bytes === null ? null : formatSize(bytes)) },
    { title: 'computed from', cell: ({ sql, broken }) => (broken === null ? sql : `${sql} (${broken})`), canShrink: true },
  ])
  const own = columns.filter(({ origin }) => origin !== 'derived').length
  const since = sinceMs === null ? '' : `; conflicts and distinct values in rows since ${at(sinceMs)}`
  const shown = [rows, paint(view, 'dim', `${own} of ${groupedText(columnsMax)} columns${since}`), ...cappedLines(capped, view)].join('\n')
  return withMissing(shown, missing, view)
}

/** `~120`, or of several leaves that count in two ways `~120–300`: nobody knows then which values two of them have both. */
function distinctText(distinct: number | null, most: number | null): string | null {
  if (distinct === null) return null
  return `~${groupedText(distinct)}${most === null || most === distinct ? '' : `–${groupedText(most)}`}`
}

export function renderDerived({ derived }: Out<typeof scubaDerivedList>, view: View): string {
  return table(
    view,
    derived,
    [
      { title: 'table', cell: ({ table: name }) => name },
      { title: 'column', cell: ({ name }) => name },
      { title: 'computed from', cell: ({ sql }) => sql, canShrink: true },
      { title: 'set', cell: ({ setAtMs, setBy }) => `${at(setAtMs)} by ${setBy}`, isWide: true },
    ],
    'No derived columns; put one with `muster scuba derive put TABLE NAME SQL`.',
  )
}

export function renderQuarantine({ reasons, missing }: Out<typeof scubaQuarantineList>, view: View): string {
  const listed = table(
    view,
    reasons,
    [
      { title: 'table', cell: ({ table: name }) => name },
      { title: 'lines', align: 'right', cell: ({ lines }) => groupedText(lines) },
      { title: 'reason', cell: ({ reason }) => reason },
      { title: 'last', cell: ({ lastMs }) => at(lastMs) },
      { title: 'first', cell: ({ firstMs }) => at(firstMs), isWide: true },
      { title: 'for example', cell: ({ example }) => example.replaceAll(/\s+/g, ' '), canShrink: true },
    ],
    'The quarantine is empty.',
  )
  return withMissing(listed, missing, view)
}

export function renderQuarantineLines({ lines, missing }: Out<typeof scubaQuarantineShow>, view: View): string {
  const listed = table(
    view,
    lines,
    [
      { title: 'at', cell: ({ atMs }) => at(atMs) },
      { title: 'table', cell: ({ table: name }) => name },
      { title: 'line', align: 'right', cell: ({ line }) => line },
      { title: 'reason', cell: ({ reason }) => reason, canShrink: true },
      { title: 'text', cell: ({ text }) => text.replaceAll(/\s+/g, ' '), canShrink: true },
      { title: 'id', cell: ({ id }) => id, isWide: true },
    ],
    'No such lines in the quarantine.',
  )
  return withMissing(listed, missing, view)
}

export function renderReplay({ replayed, failed, cut, hasMore, firstErrors }: Out<typeof scubaQuarantineReplay>): string {
  const lines = [`${count(replayed, 'line is a row', 'lines are rows')} now.`]
  if (failed > 0)
    lines.push(`${count(failed, 'line')} still cannot be ${failed === 1 ? 'a row' : 'rows'} and ${failed === 1 ? 'stays' : 'stay'}:`)
  for (const { id, reason } of firstErrors) lines.push(`  ${id}: ${reason}`)
  if (cut > 0) lines.push(`${count(cut, 'line')} ${cut === 1 ? 'was' : 'were'} too long to be kept whole.`)
  if (hasMore) lines.push('There are more: run it again.')
  return lines.join('\n')
}
