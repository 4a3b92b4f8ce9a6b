import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { z } from 'zod'
import type { scubaQuotaList } from '../../core/scuba/operations/quotas.ts'
import type { scubaReceiptList } from '../../core/scuba/operations/receipts.ts'
import type { scubaHoldList, scubaRetentionShow } from '../../core/scuba/operations/retention.ts'
import type { scubaLeafList, scubaSegmentList, scubaVerify } from '../../core/scuba/operations/segments.ts'
import { worstSender, type SenderSkew } from '../../core/scuba/rows/senders.ts'
import type { RetentionPolicy } from '../../core/scuba/retention/policy.ts'
import type { View } from '../terminal.ts'
import { groupedText, numberText } from './scuba-values.ts'
import { withMissing } from './scuba-missing.ts'
import { mark } from './style.ts'
import { table } from './table.ts'
import { count } from './text.ts'

type Out<Def extends { output: z.ZodType }> = z.output<Def['output']>
type Kept = Out<typeof scubaRetentionShow>['tables'][number]

const at = (ms: number): string => new Date(ms).toISOString()

/** `30 d, 100 GB, 1/10 after 7 d` */
export function policyText({ days, gb, thin }: RetentionPolicy): string {
  return [`${days} d`, `${gb} GB`, ...thin.map(({ afterDays, keepOneIn }) => `1/${keepOneIn} after ${afterDays} d`)].join(', ')
}

function goingText({ going, held }: Kept): string {
  const parts = going.map(({ what, rows, segments }) => `${groupedText(rows)} rows in ${count(segments, 'segment')} ${what}`)
  if (held.segments > 0) parts.push(`${groupedText(held.rows)} rows held`)
  return parts.join('; ')
}

export function renderRetention({ nowMs, tables, missing }: Out<typeof scubaRetentionShow>, view: View): string {
  const kept = table(
    view,
    tables,
    [
      { title: 'table', cell: (kept) => kept.table },
      { title: 'kept', cell: ({ policy }) => policyText(policy) },
      { title: 'size', align: 'right', cell: ({ bytes }) => formatSize(bytes) },
      { title: 'rows', align: 'right', cell: ({ rows }) => groupedText(rows) },
      { title: 'next goes in', cell: ({ nextMs }) => (nextMs === null ? null : formatDuration(nextMs - nowMs)) },
      { title: 'goes now', cell: (kept) => goingText(kept) || null, canShrink: true },
    ],
    'No tables yet.',
  )
  return withMissing(kept, missing, view)
}

export function renderHolds({ holds }: Out<typeof scubaHoldList>, view: View): string {
  return table(
    view,
    holds,
    [
      { title: 'hold', align: 'right', cell: ({ id }) => id },
      { title: 'table', cell: (hold) => hold.table ?? '(all)' },
      { title: 'from', cell: ({ fromMs }) => at(fromMs) },
      { title: 'to', cell: ({ toMs }) => at(toMs) },
      { title: 'for', cell: ({ sev }) => (sev === null ? null : `#${sev}`) },
      { title: 'reason', cell: ({ reason }) => reason, canShrink: true },
      { title: 'set', cell: ({ setAtMs, setBy }) => `${at(setAtMs)} by ${setBy}`, isWide: true },
    ],
    'Nothing is held.',
  )
}

/** `5 MB a second, 50 MB at once` */
export function quotaText({ bytesPerSecond, burstBytes }: { bytesPerSecond: number; burstBytes: number }): string {
  return `${numberText(bytesPerSecond / 1e6)} MB a second, ${numberText(burstBytes / 1e6)} MB at once`
}

export function renderQuotas({ quotas }: Out<typeof scubaQuotaList>, view: View): string {
  return table(
    view,
    quotas,
    [
      { title: 'of', cell: ({ kind }) => kind },
      { title: 'name', cell: ({ name }) => name },
      { title: 'may send', cell: quotaText },
      { title: 'came in', align: 'right', cell: ({ takenBytes }) => formatSize(takenBytes) },
      {
        title: 'refused',
        align: 'right',
        cell: ({ refusedRequests, refusedBytes }) =>
          refusedRequests === 0 ? 0 : mark(view, 'warn', `${count(refusedRequests, 'request')}, ${formatSize(refusedBytes)}`),
      },
      { title: 'set', cell: ({ setAtMs, setBy }) => `${at(setAtMs)} by ${setBy}`, isWide: true },
    ],
    'No quotas: everybody may send as much as the store can take.',
  )
}

export function renderReceipts({ receipts, missing }: Out<typeof scubaReceiptList>, view: View): string {
  const found = table(
    view,
    receipts,
    [
      { title: 'table', cell: (receipt) => receipt.table },
      { title: 'key', cell: ({ key }) => key, canShrink: true },
      { title: 'rows', align: 'right', cell: ({ accepted }) => groupedText(accepted) },
      { title: 'quarantined', align: 'right', cell: ({ quarantined }) => groupedText(quarantined) },
      { title: 'received', cell: ({ receivedMs }) => at(receivedMs) },
      { title: 'known until', cell: ({ dedupeUntilMs }) => at(dedupeUntilMs) },
      { title: 'leaf', cell: ({ leaf }) => leaf, isWide: true },
      { title: 'digest', cell: ({ digest }) => digest, isWide: true },
    ],
    'No batch came under this key in the last 24 hours.',
  )
  return withMissing(found, missing, view)
}

export function renderSegments({ segments, missing }: Out<typeof scubaSegmentList>, view: View): string {
  const isOne = new Set(segments.map(({ leaf }) => leaf)).size < 2
  const listed = table(
    view,
    segments,
    [
      { title: 'table', cell: (segment) => segment.table },
      { title: 'from', cell: ({ fromMs }) => at(fromMs) },
      { title: 'to', cell: ({ toMs }) => at(toMs) },
      { title: 'rows', align: 'right', cell: ({ rows }) => groupedText(rows) },
      { title: 'size', align: 'right', cell: ({ bytes }) => formatSize(bytes) },
      { title: 'bytes a row', align: 'right', cell: ({ bytes, rows }) => numberText(bytes / Math.max(1, rows)), isWide: true },
      { title: 'kept', cell: ({ thinned }) => (thinned === 1 ? 'all' : `1/${thinned}`) },
      { title: 'state', cell: ({ lost }) => (lost === null ? mark(view, 'ok', 'whole') : mark(view, 'bad', `lost: ${lost}`)) },
      { title: 'compared', cell: ({ checkedMs }) => (checkedMs === null ? 'when written' : at(checkedMs)), isWide: true },
      { title: 'leaf', cell: ({ leaf }) => leaf, isWide: isOne },
      { title: 'file', cell: ({ file }) => file, isWide: true },
    ],
    'No segments yet: rows are sealed within a minute.',
  )
  return withMissing(listed, missing, view)
}

export function renderVerify({ checked, bytes, found, repaired, lost, elapsedMs, missing }: Out<typeof scubaVerify>, view: View): string {
  const lines = [
    `${count(checked, 'segment')} compared (${formatSize(bytes)} in ${formatDuration(elapsedMs)}): ${lost.length === 0 ? mark(view, 'ok', 'all are as they were written') : mark(view, 'bad', `${count(lost.length, 'segment is', 'segments are')} not read any more`)}`,
    ...lost.map(({ leaf, table: name, file, rows, reason }) => `  ${name}: ${groupedText(rows)} rows in ${file} of ${leaf}: ${reason}`),
  ]
  if (repaired > 0) lines.push(`${count(repaired, 'segment')} ${repaired === 1 ? 'was' : 'were'} broken and repaired from replica.`)
  if (found > 0)
    lines.push(`${count(found, 'segment')} that ${found === 1 ? 'was' : 'were'} lost ${found === 1 ? 'is' : 'are'} whole again.`)
  return withMissing(lines.join('\n'), missing, view)
}

type Leaf = Out<typeof scubaLeafList>['leaves'][number]

const STATES = { present: 'ok', silent: 'warn', lost: 'bad' } as const

const stateText = ({ state, leavingTo }: Leaf, view: View): string =>
  leavingTo === null
    ? mark(view, STATES[state], state)
    : mark(view, state === 'present' ? 'warn' : STATES[state], `${state}, leaving to ${leavingTo}`)

/** `leaf-b, leaf-c (catching up)` */
function copiesText({ copies }: Leaf, view: View): string {
  return copies
    .map(({ leaf, state, waitingBytes }) => {
      const waits = waitingBytes > 0 ? `, ${formatSize(waitingBytes)} behind` : ''
      return state === 'following' ? `${leaf}${waits}` : mark(view, 'warn', `${leaf} (${(state ?? 'not known').replace('-', ' ')}${waits})`)
    })
    .join(', ')
}

/** `token:ci 3 m ahead` */
function skewText(worst: SenderSkew | null): string | null {
  if (worst === null) return null
  const { sender, skewMs } = worst
  return `${sender} ${formatDuration(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}`
}

export function renderLeaves({ leaves }: Out<typeof scubaLeafList>, view: View): string {
  return table(
    view,
    leaves,
    [
      { title: 'leaf', cell: ({ leaf }) => leaf },
      { title: 'node', cell: ({ node, server }) => node ?? (server === null ? 'server' : `server ${server}`) },
      {
        title: 'epoch',
        cell: ({ leaf, shards }) => shards.map(({ id, epoch }) => (id === leaf ? String(epoch) : `${id} ${epoch}`)).join(', '),
      },
      { title: 'state', cell: (leaf) => stateText(leaf, view) },
      ...(leaves.some(({ copies }) => copies.length > 0) ? [{ title: 'copies on', cell: (leaf: Leaf) => copiesText(leaf, view) }] : []),
      { title: 'since', cell: ({ sinceMs }) => (sinceMs === null ? null : at(sinceMs)) },
      { title: 'tables', align: 'right', cell: ({ holds }) => holds?.tables },
      { title: 'rows', align: 'right', cell: ({ holds }) => (holds ? groupedText(holds.rows) : null) },
      { title: 'size', align: 'right', cell: ({ holds }) => (holds ? formatSize(holds.bytes) : null) },
      { title: 'segments', align: 'right', cell: ({ holds }) => holds?.segments },
      {
        title: 'lost',
        align: 'right',
        cell: ({ holds }) => (holds?.lostSegments ? `${holds.lostSegments} (${groupedText(holds.lostRows)} rows)` : 0),
      },
      { title: 'backlog', align: 'right', cell: ({ holds }) => (holds ? formatSize(holds.backlogBytes) : null) },
      { title: 'clock off', cell: ({ holds }) => skewText(worstSender(holds?.senders ?? [])) },
      { title: 'disk', cell: ({ holds }) => (holds ? mark(view, holds.disk === 'ok' ? 'ok' : 'warn', holds.disk) : null) },
      ...(leaves.some(({ holds }) => holds?.clickhouse)
        ? [
            {
              title: 'seals into',
              cell: ({ holds }: (typeof leaves)[number]) => {
                if (!holds?.clickhouse) return 'files'
                const { where, away } = holds.clickhouse
                return away === null ? where : mark(view, 'bad', `${where}: ${away}`)
              },
            },
          ]
        : []),
      ...(leaves.some(({ holds }) => holds?.asideRows)
        ? [{ title: 'set aside', align: 'right' as const, cell: ({ holds }: Leaf) => (holds ? groupedText(holds.asideRows) : null) }]
        : []),
      { title: 'copied rows', align: 'right', cell: ({ holds }) => (holds ? groupedText(holds.copiedRows) : null), isWide: true },
      ...(leaves.some(({ holds }) => holds?.strictTokens.length)
        ? [
            {
              title: 'on validate=sync',
              cell: ({ holds }: (typeof leaves)[number]) =>
                holds?.strictTokens.length ? mark(view, 'warn', holds.strictTokens.join(', ')) : null,
            },
          ]
        : []),
      { title: 'pid', align: 'right', cell: ({ holds }) => holds?.pid, isWide: true },
    ],
    'No leaf has answered yet.',
  )
}
