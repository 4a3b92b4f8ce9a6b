import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { TopFrame, TopRow } from '../delos/top.ts'
import type { View } from '../terminal.ts'
import { durabilityText, msText, skewText } from './delos-store.ts'
import { mark, paint } from './style.ts'
import type { Sort } from '../delos/top-sort.ts'
import { table, type Column } from './table.ts'
import { count, truncate } from './text.ts'

const number = (value: number | null): string => {
  if (value === null) return '-'
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)
}

/** Most first; by name the least. Who is not reached stays at the end. */
export function sorted(rows: readonly TopRow[], by: Sort): TopRow[] {
  const key = (row: TopRow): number => {
    if (!row.server.isReachable) return Number.NEGATIVE_INFINITY
    if (by === 'appends') return row.appendsPerS ?? 0
    if (by === 'commit') return row.commitP99Ms ?? 0
    if (by === 'sync') return row.server.syncP99Ms ?? 0
    return by === 'lag' ? (row.server.lag ?? 0) : 0
  }
  return rows.toSorted((a, b) => key(b) - key(a) || a.server.name.localeCompare(b.server.name))
}

function columnsOf(nowMs: number): Column<TopRow>[] {
  return [
    {
      title: 'server',
      cell: ({ server }, view) => {
        const name = server.name || server.endpoint
        if (!server.isReachable) return mark(view, 'bad', name)
        return server.role === 'leader' ? paint(view, 'cyan', `★ ${name}`) : `${server.role === 'learner' ? '○' : '●'} ${name}`
      },
    },
    { title: 'app/s', cell: (row) => number(row.appendsPerS), align: 'right' },
    { title: 'batch', cell: (row) => number(row.batch), align: 'right' },
    { title: 'commit p50', cell: (row) => msText(row.commitP50Ms), align: 'right' },
    { title: 'p99', cell: (row) => msText(row.commitP99Ms), align: 'right' },
    { title: 'sync p50', cell: ({ server }) => msText(server.syncP50Ms), align: 'right' },
    { title: 'p99', cell: ({ server }) => msText(server.syncP99Ms), align: 'right' },
    { title: 'lag', cell: ({ server }) => server.lag, align: 'right' },
    { title: 'loop', cell: (row) => msText(row.loopP99Ms), align: 'right' },
    { title: 'read/s', cell: (row) => number(row.readsPerS), align: 'right' },
    { title: 'clients', cell: ({ server: { page } }) => page?.connections, align: 'right', isWide: true },
    { title: 'watchers', cell: ({ server: { page } }) => page?.watch.watchers, align: 'right', isWide: true },
    { title: 'clock', cell: ({ server }) => skewText(server), align: 'right', isWide: true },
    {
      title: 'memory',
      cell: ({ server: { page } }) => (page === null ? null : formatSize(page.residentBytes)),
      align: 'right',
      isWide: true,
    },
    {
      title: 'up',
      cell: ({ server: { page } }) =>
        page === null ? null : formatDuration(Math.max(1, Math.floor((nowMs - page.startedAt) / 1000)) * 1000),
      align: 'right',
      isWide: true,
    },
  ]
}

/** Servers, then what clients do, then what is left of the disk; times in ms. The screen and its plain twin draw the same lines. */
export function topLines(frame: TopFrame, by: Sort, view: View, rowsMax: number): string[] {
  const { store, at } = frame
  const [log] = store.logs
  const rows = sorted(frame.rows, by)
  const lost = rows.filter(({ server }) => !server.isReachable)
  const fit = (line: string): string => (view.width === null ? line : truncate(line, view.width))
  const head = [
    `${paint(view, 'bold', 'muster delos top')}  ${durabilityText(store, view)}`,
    [
      `leader ${log?.leader ?? paint(view, 'red', 'none')}`,
      `term ${log?.term ?? 0}`,
      `position ${log?.position ?? 0}`,
      `revision ${log?.revision ?? 0}`,
      ...(log?.lastChange ? [`last gap ${log.lastChange.gapMs} ms`] : []),
    ].join('  '),
    store.alarms.length === 0
      ? 'no alarms'
      : mark(view, 'bad', store.alarms.map(({ server, alarm }) => `${alarm} of ${server}`).join(', ')),
    '',
  ]
  const servers = table(view, rows, columnsOf(at)).split('\n')
  const absent = lost.map(({ server }) => {
    const since = server.sinceMs === null ? '' : ` for ${formatDuration(Math.max(1000, Math.floor((at - server.sinceMs) / 1000) * 1000))}`
    return paint(view, 'red', `  ${server.name || server.endpoint} is not reached${since}: ${server.why ?? 'nobody says why'}`)
  })
  const below = ['', ...storeLines(frame, view)]
  const left = rowsMax - head.length - servers.length - absent.length - below.length - 2
  const hot = left > 0 ? hotLines(frame, view, left) : []
  return [...head, ...servers, ...absent, ...below, ...hot].map(fit)
}

function storeLines({ store }: TopFrame, view: View): string[] {
  const pages = store.servers.flatMap(({ page }) => page ?? [])
  const sum = (of: (page: (typeof pages)[number]) => number): number => pages.reduce((total, page) => total + of(page), 0)
  const [one] = pages
  const lines: string[] = []
  if (one !== undefined) {
    const behind = sum(({ watch }) => watch.behind)
    const hit = sum(({ boundsHit }) => boundsHit)
    const slow = sum(({ slowReads }) => slowReads)
    // Leases, unlike watchers, are the same everywhere.
    const leases = Math.max(...pages.map((page) => page.store.leases))
    lines.push(
      [
        count(
          sum(({ watch }) => watch.watchers),
          'watcher',
        ) + (behind === 0 ? '' : paint(view, 'yellow', ` (▲ ${behind} behind)`)),
        count(leases, 'lease'),
        count(one.store.keys, 'key'),
        count(slow, 'slow read'),
        hit === 0 ? 'no bound hit' : paint(view, 'yellow', `▲ bounds hit ${hit} times`),
      ].join('  '),
    )
  }
  for (const { name, dbBytes, dbInUseBytes, page, isReachable } of store.servers) {
    if (!isReachable) continue
    const quota = page === null ? '' : `, ${((100 * dbInUseBytes) / page.store.quotaBytes).toFixed(1)} % of its quota`
    const free = page?.disk ? `, ${formatSize(page.disk.freeBytes)} free on the disk` : ''
    lines.push(`disk ${name}: ${formatSize(dbBytes)}, ${formatSize(dbInUseBytes)} in use${quota}${free}`)
  }
  return lines
}

/** Which keys change most, as the leader saw it; every server sees all changes. */
function hotLines({ store }: TopFrame, view: View, max: number): string[] {
  const seen = store.servers.filter(({ page }) => page !== null)
  const hot = (seen.find(({ role }) => role === 'leader') ?? seen[0])?.page?.hot ?? []
  if (hot.length === 0) return []
  const shown = hot.slice(0, Math.max(1, max - 1))
  return [
    paint(view, 'bold', 'HOT PREFIXES'),
    ...shown.map(({ prefix, share }) => `${`${(share * 100).toFixed(0)} %`.padStart(5)}  ${bar(share)}  ${prefix}`),
  ]
}

const BAR = 20
const bar = (share: number): string => '█'.repeat(Math.round(share * BAR)).padEnd(BAR, '·')

/** The plain twin: everything, as far as it is wide. */
export function renderTop(frame: TopFrame, by: Sort, view: View): string {
  return topLines(frame, by, view, Number.POSITIVE_INFINITY).join('\n')
}
