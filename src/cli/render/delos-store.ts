import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { ServerView, StoreView } from '../delos/store-view.ts'
import type { View } from '../terminal.ts'
import { archiveText } from './delos-space.ts'
import { mark, paint } from './style.ts'
import { fields, table } from './table.ts'
import { count } from './text.ts'

/** `0.15`, `12.4`, `1300` ms; `-` for what is not known. */
export function msText(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '-'
  if (ms >= 100) return ms.toFixed(0)
  return ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)
}

const whole = (ms: number): string => (ms < 1000 ? '0s' : formatDuration(Math.floor(ms / 1000) * 1000))

/** A clock that is off by less than the way there and back takes is not known to be off. */
export function skewText({ clockSkewMs, clockErrorMs }: Pick<ServerView, 'clockSkewMs' | 'clockErrorMs'>): string {
  if (clockSkewMs === null || clockErrorMs === null) return '-'
  if (Math.abs(clockSkewMs) <= clockErrorMs) return `< ${msText(clockErrorMs)}`
  return `${clockSkewMs > 0 ? '+' : '-'}${msText(Math.abs(clockSkewMs))}`
}

export function reachText(server: ServerView, nowMs: number): string {
  const refusal = server.page?.log.refusal ?? null
  if (refusal !== null) return refusal.replace(/^muster: /, '')
  if (server.isReachable) return server.role === 'leader' ? 'leads' : server.term === 0 ? 'there' : 'follows'
  const since = server.sinceMs === null ? '' : `for ${whole(nowMs - server.sinceMs)}: `
  return `${since}${server.why ?? 'not reached'}`
}

export function renderStoreStatus(store: StoreView, nowMs: number, view: View): string {
  const servers = table(view, store.servers, [
    { title: 'server', cell: ({ name, endpoint }) => name || endpoint },
    { title: 'role', cell: ({ role }) => role },
    { title: 'region', cell: ({ region }) => region, isWide: true },
    {
      title: 'state',
      cell: (server) =>
        mark(view, server.isReachable && (server.page?.log.refusal ?? null) === null ? 'ok' : 'bad', reachText(server, nowMs)),
      canShrink: true,
    },
    { title: 'version', cell: ({ program, version }) => (program === 'etcd' ? `etcd ${version}` : version) },
    { title: 'lag', cell: ({ lag }) => lag, align: 'right' },
    { title: 'sync p50', cell: ({ syncP50Ms }) => msText(syncP50Ms), align: 'right' },
    { title: 'p99 ms', cell: ({ syncP99Ms }) => msText(syncP99Ms), align: 'right' },
    { title: 'clock ms', cell: skewText, align: 'right' },
    { title: 'db', cell: (server) => (server.isReachable ? formatSize(server.dbBytes) : null), align: 'right' },
    { title: 'in use', cell: (server) => (server.isReachable ? formatSize(server.dbInUseBytes) : null), align: 'right' },
    { title: 'endpoint', cell: ({ endpoint }) => endpoint, isWide: true },
    { title: 'id', cell: ({ id }) => id, isWide: true },
  ])
  const logs = table(view, store.logs, [
    { title: 'log', cell: ({ log }) => log },
    { title: 'loglet', cell: ({ loglet }) => loglet },
    { title: 'leader', cell: ({ leader }) => leader ?? paint(view, 'red', 'none') },
    { title: 'term', cell: ({ term }) => term, align: 'right' },
    { title: 'position', cell: ({ position }) => position, align: 'right' },
    { title: 'revision', cell: ({ revision }) => revision, align: 'right' },
    {
      title: 'last change of leaders',
      cell: ({ lastChange }) =>
        lastChange === null
          ? null
          : `${lastChange.from} → ${lastChange.to}, gap ${lastChange.gapMs} ms, ${whole(nowMs - lastChange.at)} ago`,
      canShrink: true,
    },
  ])
  return [
    servers,
    '',
    logs,
    '',
    fields(view, [
      ['durability', durabilityText(store, view)],
      ['archive', archivesText(store, view)],
      ['repaired', repairsText(store, view)],
      ['alarms', alarmText(store, view)],
    ]),
  ].join('\n')
}

/** Of all its servers; null: it has none, and nobody asked for one. */
function archivesText({ servers }: StoreView, view: View): string | null {
  const archiving = servers.flatMap(({ name, page }) => (page?.archive == null ? [] : [{ name, archive: page.archive }]))
  if (archiving.length === 0) return null
  return archiving.map(({ name, archive }) => `${name} → ${archive.to}: ${archiveText(archive, view)}`).join('; ')
}

/** What servers could not read of their logs when they started; null: nothing. */
function repairsText({ servers }: StoreView, view: View): string | null {
  const repairs = servers.flatMap(({ name, page }) => (page?.repairs ?? []).map((repair) => ({ name, ...repair })))
  if (repairs.length === 0) return null
  return repairs
    .map(({ name, file, offset, isRepaired }) => {
      const where = `${name}: ${file} was damaged at offset ${offset}`
      return isRepaired
        ? mark(view, 'warn', `${where}, repaired from the others`)
        : mark(view, 'bad', `${where}, being fetched from the others`)
    })
    .join('; ')
}

/** What it survives, and what is left of that. */
export function durabilityText({ durability }: StoreView, view: View): string {
  const { class: kind, voters, survives, survivesNow } = durability
  if (voters <= 1) return survivesNow < 0 ? mark(view, 'bad', `${kind}: its server is not there`) : `${kind}: one disk, survives no failure`
  if (survivesNow < 0) return mark(view, 'bad', `${kind}: no majority is there, nothing can be changed`)
  const made = `${kind}: survives ${count(survives, 'failure')}`
  return survivesNow === survives
    ? mark(view, 'ok', made)
    : mark(view, 'warn', `${made}, ${survivesNow === 0 ? 'none' : survivesNow} more from here on`)
}

function alarmText({ alarms }: StoreView, view: View): string {
  if (alarms.length === 0) return 'none'
  return mark(view, 'bad', alarms.map(({ server, alarm }) => `${alarm} of ${server}`).join(', '))
}

/** Exit code 7 is for findings: what a person should look at. */
export function hasTrouble({ servers, durability, alarms, logs }: StoreView): boolean {
  return (
    alarms.length > 0 ||
    durability.survivesNow < durability.survives ||
    logs.some(({ leader }) => leader === null) ||
    servers.some(({ isReachable, page }) => !isReachable || (page?.log.refusal ?? null) !== null || page?.archive?.trouble != null)
  )
}

export interface MemberRow {
  id: string
  name: string
  isLearner: boolean
  isLeader: boolean
  peerUrls: readonly string[]
  clientUrls: readonly string[]
}

export function renderMembers(members: readonly MemberRow[], view: View): string {
  return table(view, members, [
    { title: 'id', cell: ({ id }) => id },
    { title: 'name', cell: ({ name }) => name || '(not started)' },
    { title: 'role', cell: ({ isLearner, isLeader }) => (isLearner ? 'learner' : isLeader ? 'leader' : 'voter') },
    { title: 'other servers at', cell: ({ peerUrls }) => peerUrls.join(','), canShrink: true },
    { title: 'clients at', cell: ({ clientUrls }) => clientUrls.join(','), canShrink: true },
  ])
}

export interface LeaderMove {
  from: string
  to: string
  term: number
  /** longest time in which no linearizable read was answered */
  gapMs: number
}

export function renderLeaderMove({ from, to, term, gapMs }: LeaderMove): string {
  return `${from} → ${to}, term ${term}, gap ${gapMs} ms`
}

export function renderAlarms(alarms: readonly { server: string; alarm: string }[], view: View): string {
  return table(
    view,
    alarms,
    [
      { title: 'alarm', cell: ({ alarm }) => mark(view, 'bad', alarm) },
      { title: 'server', cell: ({ server }) => server },
      { title: 'what it means', cell: ({ alarm }) => ALARM_MEANS[alarm] ?? '', canShrink: true },
    ],
    'No alarms.',
  )
}

const ALARM_MEANS: Readonly<Record<string, string>> = {
  NOSPACE: 'the quota is reached: delete, compact, then `muster delos alarm disarm`',
  CORRUPT: 'servers differ, or a disk changed what was written: see `muster delos status`, repair, then disarm',
}

export function renderLeaderView(
  {
    leader,
    id,
    endpoint,
    term,
    lastChange,
  }: {
    leader: string | null
    id: string | null
    endpoint: string | null
    term: number
    lastChange: StoreView['logs'][number]['lastChange']
  },
  nowMs: number,
  view: View,
): string {
  return fields(view, [
    ['leader', leader ?? mark(view, 'bad', 'none')],
    ['id', id],
    ['clients at', endpoint],
    ['term', term],
    [
      'last change',
      lastChange === null ? null : `${lastChange.from} → ${lastChange.to}, gap ${lastChange.gapMs} ms, ${whole(nowMs - lastChange.at)} ago`,
    ],
  ])
}
