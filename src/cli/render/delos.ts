import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { fields, table } from './table.ts'

export interface KvRow {
  key: string
  value: string
  create_revision: number
  mod_revision: number
  version: number
  lease: string | null
}

export interface EntryRow {
  position: number
  type: string
  at: number
  actor: string
  body?: unknown
  notable?: unknown
  trace?: string | undefined
}

export interface LockRow {
  name: string
  token: number
  lease: string
  owner: string
  value: string
  since: number
  waiting: { key: string; owner: string }[]
}

export interface DelosStatus {
  durability: string
  logs: { log: string; loglet: string; head: number; tail: number; dir: string; bytes: number }[]
  kv: { revision: number; compacted: number; keys: number; leases: number; locks: number }
}

const iso = (ms: number): string => new Date(ms).toISOString()

/** One key: its value alone, so that a script can use it as it is. Several: a table. */
export function renderKvs(kvs: readonly KvRow[], isSingle: boolean, view: View): string {
  const [only] = kvs
  if (isSingle && only !== undefined && !view.isWide) return only.value
  return table(
    view,
    kvs,
    [
      { title: 'key', cell: (kv) => kv.key },
      { title: 'value', cell: (kv) => oneLine(kv.value), canShrink: true },
      { title: 'modified', cell: (kv) => kv.mod_revision, align: 'right' },
      { title: 'created', cell: (kv) => kv.create_revision, align: 'right', isWide: true },
      { title: 'version', cell: (kv) => kv.version, align: 'right' },
      { title: 'lease', cell: (kv) => kv.lease },
    ],
    'No keys.',
  )
}

export function renderKvEvent(event: { type: 'put' | 'delete'; kv: KvRow }, view: View): string {
  const what = event.type === 'put' ? `${event.kv.key} = ${oneLine(event.kv.value)}` : event.kv.key
  return `${paint(view, 'dim', String(event.kv.mod_revision))}  ${event.type.padEnd(6)}  ${what}`
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

export function renderLocks(locks: readonly LockRow[], nowMs: number, view: View): string {
  return table(
    view,
    locks,
    [
      { title: 'lock', cell: (lock) => lock.name },
      { title: 'token', cell: (lock) => lock.token, align: 'right' },
      { title: 'holder', cell: (lock) => lock.owner },
      { title: 'what', cell: (lock) => oneLine(lock.value), canShrink: true },
      { title: 'since', cell: (lock) => formatDuration(Math.max(0, nowMs - lock.since)), align: 'right' },
      { title: 'waiting', cell: (lock) => lock.waiting.length, align: 'right' },
      { title: 'lease', cell: (lock) => lock.lease, isWide: true },
    ],
    'No lock is held.',
  )
}

export function renderDelosStatus(status: DelosStatus, view: View): string {
  const logs = table(view, status.logs, [
    { title: 'log', cell: (log) => log.log },
    { title: 'loglet', cell: (log) => log.loglet },
    { title: 'first', cell: (log) => log.head, align: 'right' },
    { title: 'last', cell: (log) => log.tail - 1, align: 'right' },
    { title: 'size', cell: (log) => formatSize(log.bytes), align: 'right' },
    { title: 'directory', cell: (log) => log.dir },
  ])
  const { kv } = status
  const rest = fields(view, [
    ['durability', status.durability],
    ['kv', `revision ${kv.revision} (oldest ${kv.compacted}), ${kv.keys} keys, ${kv.leases} leases, ${kv.locks} locks`],
  ])
  return `${logs}\n\n${rest}`
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
