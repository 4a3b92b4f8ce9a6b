import { civilOf } from '../../kernel/civil.ts'
import type { ServerPage } from '../measure/server-page.ts'

/** What somebody has to know of. */
export const ALARM_KINDS = ['NO_QUORUM', 'CORRUPT', 'NOSPACE', 'SLOW_DISK', 'CERTIFICATE', 'ARCHIVE'] as const
export type AlarmKind = (typeof ALARM_KINDS)[number]

/** Something that is wrong now, and since when it has been, without a break, as the one who looks saw it; log time, ms. */
export interface Condition {
  kind: AlarmKind
  /** what it is about: a log, a server */
  target: string
  text: string
  since: number
}

export type Seen = Omit<Condition, 'since'>

/** So long it has to last before anybody is told: an election and a burst of writes are over before. */
export const HOLD_MS: Readonly<Record<AlarmKind, number>> = {
  NO_QUORUM: 5000,
  CORRUPT: 0,
  NOSPACE: 0,
  SLOW_DISK: 60_000,
  CERTIFICATE: 0,
  ARCHIVE: 0,
}

export const SLOW_SYNC_MS = 50
export const CERTIFICATE_LEFT_MS = 14 * 24 * 3_600_000
/** So long a change may be in one place only, where an archive was asked for. */
export const ARCHIVE_BEHIND_MS = 5 * 60_000
/** Segment files are made ahead: below it the next write may be refused. */
export const FREE_BYTES_MIN = 256 * 1024 * 1024

/** Of fewer writes one in a hundred says nothing. */
const SYNCS_MIN = 100

export const slowDisk = (target: string, { recent, p99Ms }: { recent: number; p99Ms: number | null }): Seen[] =>
  recent >= SYNCS_MIN && p99Ms !== null && p99Ms > SLOW_SYNC_MS
    ? [{ kind: 'SLOW_DISK', target, text: `fdatasync of ${target} takes over ${SLOW_SYNC_MS} ms in one of a hundred writes` }]
    : []

export const lowSpace = (target: string, freeBytes: number | null): Seen[] =>
  freeBytes !== null && freeBytes < FREE_BYTES_MIN
    ? [{ kind: 'NOSPACE', target, text: `the disk of ${target} has less than ${FREE_BYTES_MIN / 1024 ** 2} MiB left` }]
    : []

/** Servers whose state of the control log is not that of the others; where no majority has one, that is one condition of all of them. */
export function wrongStates(servers: readonly { name: string; kind: 'odd' | 'split' | 'anew'; text: string }[]): Seen[] {
  const split = servers.find(({ kind }) => kind === 'split')
  return [
    ...(split === undefined ? [] : [{ kind: 'CORRUPT' as const, target: 'control', text: split.text }]),
    ...servers.flatMap(({ name, kind, text }) =>
      kind === 'split' ? [] : [{ kind: 'CORRUPT' as const, target: name, text: `${name}: ${text}` }],
    ),
  ]
}

type Told = Pick<ServerPage, 'name' | 'leader' | 'sync' | 'disk' | 'alarms' | 'archive' | 'certificates' | 'now'>

/** What the servers of a store tell of themselves that somebody has to know of; `pages` are of those that answer. */
export function conditionsOfStore(pages: readonly Told[]): Seen[] {
  const alarms = new Set(pages.flatMap((page) => page.alarms.map(({ alarm }) => alarm)))
  const why = pages.length === 0 ? 'no server of the store answers' : 'no server of the store knows a leader'
  return [
    ...(pages.some(({ leader }) => leader !== null)
      ? []
      : [{ kind: 'NO_QUORUM' as const, target: 'store', text: `${why}: nothing can be changed there` }]),
    ...(['CORRUPT', 'NOSPACE'] as const)
      .filter((kind) => alarms.has(kind))
      .map((kind) => ({ kind, target: 'store', text: `the store has the alarm ${kind}` })),
    ...pages.flatMap((page) => [
      ...slowDisk(page.name, page.sync),
      ...lowSpace(page.name, page.disk?.freeBytes ?? null),
      ...endingCertificate(page),
      ...lateArchive(page),
    ]),
  ]
}

function endingCertificate({ name, certificates, now }: Told): Seen[] {
  const ends = [certificates.client, certificates.peer].filter((end) => end !== null)
  const endsAt = Math.min(...ends)
  return ends.length > 0 && endsAt - now < CERTIFICATE_LEFT_MS
    ? [{ kind: 'CERTIFICATE', target: name, text: `a certificate of ${name} ends on ${dayOf(endsAt)}` }]
    : []
}

export function lateArchive({ name, archive }: Pick<ServerPage, 'name' | 'archive'>): Seen[] {
  if (archive === null || archive.behindMs <= ARCHIVE_BEHIND_MS) return []
  const why = archive.trouble === null ? '' : `: ${archive.trouble}`
  return [{ kind: 'ARCHIVE', target: name, text: `the archive of ${name} is over ${ARCHIVE_BEHIND_MS / 60_000} minutes behind${why}` }]
}

/** Conditions as they go on from those before: what was seen then keeps its beginning. */
export function continued(before: readonly Condition[], seen: readonly Seen[], now: number): Condition[] {
  return seen.map((each) => {
    const was = before.find(({ kind, target }) => kind === each.kind && target === each.target)
    return { ...each, since: was?.since ?? now }
  })
}

/** `2026-11-28`, by days alone: the core has no calendar of the machine. */
function dayOf(ms: number): string {
  const { year, month, day } = civilOf(Math.floor(ms / 86_400_000))
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}
