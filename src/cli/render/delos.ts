import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark, paint } from './style.ts'
import { fields, table, tableInParts, type Column } from './table.ts'

import type { Kv } from '../../core/delos/schema.ts'
import type { LockView } from '../../core/delos/operations/lock.ts'

export interface EntryRow {
  position: number
  type: string
  at: number
  actor: string
  body?: unknown
  notable?: unknown
  trace?: string | undefined
}

export interface DelosStatus {
  durability: string
  servers: {
    name: string
    role: string
    leads: boolean
    region: string | null
    trouble: string | null
    state: string | null
    lag: number | null
    syncP50Ms: number | null
    syncP99Ms: number | null
    clockOffMs: number | null
  }[]
  logs: {
    log: string
    loglet: string
    leader: string | null
    durability: string
    lastChange: { at: number; from: string; to: string; gapMs: number } | null
    lastSwitchGapMs: number | null
    head: number
    tail: number
    dir: string
    bytes: number
  }[]
  kv: { revision: number; compacted: number; keys: number; leases: number; locks: number }
  etcd: string | null
}

const iso = (ms: number): string => new Date(ms).toISOString()

const valueOf = (kv: Kv): string => (kv.isValueBase64 === true ? `base64:${kv.value}` : oneLine(kv.value))

const KV_COLUMNS: readonly Column<Kv>[] = [
  { title: 'key', cell: (kv) => kv.key },
  { title: 'value', cell: valueOf, canShrink: true },
  { title: 'modified', cell: (kv) => kv.mod_revision, align: 'right' },
  { title: 'created', cell: (kv) => kv.create_revision, align: 'right', isWide: true },
  { title: 'version', cell: (kv) => kv.version, align: 'right' },
  { title: 'lease', cell: (kv) => kv.lease },
]

export function renderKvs(kvs: readonly Kv[], view: View): string {
  return table(view, kvs, KV_COLUMNS, 'No keys.')
}

/** The same of a list that comes in parts. */
export function renderKvsInParts(view: View): (kvs: readonly Kv[]) => string {
  return tableInParts(view, KV_COLUMNS)
}

export function renderKvEvent(event: { type: 'put' | 'delete'; kv: Kv }, view: View): string {
  const what = event.type === 'put' ? `${event.kv.key} = ${valueOf(event.kv)}` : event.kv.key
  return `${paint(view, 'dim', String(event.kv.mod_revision))}  ${event.type.padEnd(6)}  ${what}`
}

export function renderHistory(versions: readonly { type: 'put' | 'delete'; kv: Kv }[], view: View): string {
  return versions.length === 0 ? 'No version is kept.' : versions.map((version) => renderKvEvent(version, view)).join('\n')
}

export interface TxnAnswer {
  revision: number
  succeeded: boolean
  answers: readonly ({ did: 'put' } | { did: 'get'; kvs: readonly Kv[]; count: number } | { did: 'del'; deleted: number })[]
}

export function renderTxn({ succeeded, answers, revision }: TxnAnswer, view: View): string {
  const head = `${succeeded ? 'all comparisons held' : 'not all comparisons held'}, revision ${revision}`
  const lines = answers.map((answer) => {
    if (answer.did === 'put') return 'put'
    if (answer.did === 'del') return `${answer.deleted} deleted`
    return answer.kvs.length === 0 ? `${answer.count} found` : renderKvs(answer.kvs, view)
  })
  return [head, ...lines].join('\n')
}

export interface LeaseRow {
  id: string
  ttlMs: number
  remainingMs: number
  keys: readonly string[]
}

export function renderLeases(leases: readonly LeaseRow[], view: View): string {
  return table(
    view,
    leases,
    [
      { title: 'lease', cell: (lease) => lease.id },
      { title: 'ttl', cell: (lease) => formatDuration(lease.ttlMs), align: 'right' },
      { title: 'remaining', cell: (lease) => formatDuration(lease.remainingMs), align: 'right' },
      { title: 'keys', cell: (lease) => lease.keys.length, align: 'right' },
      { title: 'which', cell: (lease) => lease.keys.join(' '), canShrink: true },
    ],
    'No leases.',
  )
}

export function renderLease(lease: LeaseRow, view: View): string {
  return fields(view, [
    ['lease', lease.id],
    ['ttl', formatDuration(lease.ttlMs)],
    ['remaining', formatDuration(lease.remainingMs)],
    ['keys', lease.keys.length === 0 ? 'none' : lease.keys.join('\n')],
  ])
}

/** One line an entry, for a log that scrolls. */
export function renderEntryLine(entry: EntryRow, view: View): string {
  const time = paint(view, 'dim', `${String(entry.position).padStart(6)}  ${iso(entry.at)}`)
  return `${time}  ${paint(view, 'bold', entry.type)}  ${entry.actor}  ${summaryOf(entry)}`
}

export function renderEntries(entries: readonly EntryRow[], view: View): string {
  return table(
    view,
    entries,
    [
      { title: 'position', cell: (entry) => entry.position, align: 'right' },
      { title: 'time', cell: (entry) => iso(entry.at) },
      { title: 'type', cell: (entry) => entry.type },
      { title: 'actor', cell: (entry) => entry.actor },
      { title: 'what', cell: summaryOf, canShrink: true },
    ],
    'No entries.',
  )
}

export function renderEntry(entry: EntryRow, view: View): string {
  const head = fields(view, [
    ['position', entry.position],
    ['type', entry.type],
    ['time', iso(entry.at)],
    ['actor', entry.actor],
    ['trace', entry.trace],
    ['notable', textOf(entry.notable)],
  ])
  return `${head}\n\n${JSON.stringify(entry.body, null, 2)}`
}

const nameOf = ({ value, key }: LockView['holders'][number]): string => (value === '' ? key : oneLine(value))

export function renderLocks(locks: readonly LockView[], view: View): string {
  return table(
    view,
    locks,
    [
      { title: 'lock', cell: (lock) => lock.name },
      { title: 'token', cell: (lock) => lock.holders[0]?.token, align: 'right' },
      { title: 'holder', cell: (lock) => lock.holders.map(nameOf).join(', '), canShrink: true },
      { title: 'waiting', cell: (lock) => lock.waiting.length, align: 'right' },
      { title: 'lease', cell: (lock) => lock.holders[0]?.lease, isWide: true },
    ],
    'No lock is held.',
  )
}

/** One lock: who has it, then who waits, in the order of their turns. */
export function renderLock(lock: LockView, view: View): string {
  const rows = [
    ...lock.holders.map((one) => ({ ...one, what: one.isShared ? 'shares it' : 'holds it' })),
    ...lock.waiting.map((one, i) => ({ ...one, what: `waits, ${i + 1}.` })),
  ]
  return table(view, rows, [
    { title: '', cell: (one) => one.what },
    { title: 'token', cell: (one) => one.token, align: 'right' },
    { title: 'who', cell: (one) => nameOf(one), canShrink: true },
    { title: 'lease', cell: (one) => one.lease },
  ])
}

export function renderDelosStatus(status: DelosStatus, view: View): string {
  const logs = table(view, status.logs, [
    { title: 'log', cell: (log) => log.log },
    { title: 'loglet', cell: (log) => log.loglet },
    { title: 'durable', cell: (log) => log.durability },
    { title: 'leader', cell: (log) => log.leader ?? mark(view, 'bad', 'none') },
    { title: 'first', cell: (log) => log.head, align: 'right' },
    { title: 'last', cell: (log) => log.tail - 1, align: 'right' },
    { title: 'size', cell: (log) => formatSize(log.bytes), align: 'right' },
    { title: 'last change', cell: changeText, canShrink: true },
    { title: 'directory', cell: (log) => log.dir, isWide: true },
  ])
  const ms = (value: number | null): string | null => (value === null ? null : `${value.toFixed(value < 10 ? 2 : 0)} ms`)
  const servers = table(view, status.servers, [
    { title: 'server', cell: ({ name }) => name },
    { title: 'role', cell: ({ role, leads }) => (leads ? 'leader' : role) },
    { title: 'region', cell: ({ region }) => region },
    { title: 'reached', cell: ({ trouble }) => (trouble === null ? mark(view, 'ok', 'yes') : mark(view, 'bad', trouble)), canShrink: true },
    { title: 'behind', cell: ({ lag }) => lag, align: 'right' },
    { title: 'fdatasync p50', cell: ({ syncP50Ms }) => ms(syncP50Ms), align: 'right' },
    { title: 'p99', cell: ({ syncP99Ms }) => ms(syncP99Ms), align: 'right' },
    {
      title: 'clock',
      cell: ({ clockOffMs }) => (clockOffMs === null ? null : `${clockOffMs > 0 ? '+' : ''}${clockOffMs} ms`),
      align: 'right',
    },
  ])
  const { kv } = status
  const wrong = status.servers.flatMap(({ name, state }) => (state === null ? [] : [mark(view, 'bad', `${name}: ${state}`)]))
  const rest = fields(view, [
    ['durability', durabilityText(status.durability)],
    ['kv', `revision ${kv.revision} (oldest ${kv.compacted}), ${kv.keys} keys, ${kv.leases} leases, ${kv.locks} locks`],
    [
      'etcd',
      status.etcd === null ? 'no port for its clients; start with --etcd HOST:PORT for one' : `clients are answered at ${status.etcd}`,
    ],
  ])
  return [servers, ...(wrong.length > 0 ? [wrong.join('\n')] : []), logs, rest].join('\n\n')
}

function changeText({ lastChange, lastSwitchGapMs }: DelosStatus['logs'][number]): string | null {
  const switched = lastSwitchGapMs === null ? [] : [`moved, gap ${lastSwitchGapMs.toFixed(1)} ms`]
  const led = lastChange === null ? [] : [`${lastChange.from} → ${lastChange.to}, gap ${lastChange.gapMs} ms`]
  return [...led, ...switched].join('; ') || null
}

function durabilityText(kind: string): string {
  const voters = /^quorum (\d+)/.exec(kind)?.[1]
  if (voters === undefined) return kind.startsWith('single') ? `${kind}: one disk, survives no failure` : kind
  const survives = Math.max(0, Math.ceil(Number(voters) / 2) - 1)
  return `${kind}: survives ${survives === 0 ? 'no failure' : survives === 1 ? '1 failure' : `${survives} failures`}`
}

function summaryOf(entry: EntryRow): string {
  return textOf(entry.notable) ?? JSON.stringify(entry.body) ?? ''
}

function textOf(notable: unknown): string | undefined {
  const text = (notable as { text?: unknown } | null | undefined)?.text
  return typeof text === 'string' ? text : undefined
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}
