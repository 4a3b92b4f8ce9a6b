import { daysOf } from '../../../kernel/civil.ts'
import { microseconds } from '../../rows/time.ts'
import type { Row } from '../rows.ts'

/** RFC 5424, 6.2.1, and the numbers OpenTelemetry gives them ("Logs Data Model", appendix B). */
const SEVERITIES: readonly (readonly [name: string, number: number])[] = [
  ['EMERG', 21],
  ['ALERT', 19],
  ['CRIT', 18],
  ['ERROR', 17],
  ['WARN', 13],
  ['NOTICE', 10],
  ['INFO', 9],
  ['DEBUG', 5],
]
const FACILITIES = [
  ...[
    'kern',
    'user',
    'mail',
    'daemon',
    'auth',
    'syslog',
    'lpr',
    'news',
    'uucp',
    'cron',
    'authpriv',
    'ftp',
    'ntp',
    'audit',
    'alert',
    'clock',
  ],
  ...Array.from({ length: 8 }, (_, i) => `local${i}`),
]

const PRI = /^<(\d{1,3})>/
const HEADER = /^1 (\S+) (\S+) (\S+) (\S+) (\S+) /
const OLD_TIME = /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? /
const OLD_TAG = /^([^\s:[\]]{1,64})(?:\[([^\]\s]{1,64})\])?: ?/
const PARAMETERS_MAX = 64

/**
 * A row of `logs` from a message of RFC 5424 or of RFC 3164, which has many dialects: what cannot be told apart stays in `body`, so that
 * no text makes an error. `receivedMs` gives RFC 3164's times their year; they are taken as UTC.
 */
export function syslogRow(text: string, receivedMs: number, peer: string): Row {
  const row: Row = {}
  let rest = text
  const priority = PRI.exec(rest)
  const code = priority === null ? 13 : Number(priority[1])
  if (priority !== null) rest = rest.slice(priority[0].length)
  const [severity, number] = SEVERITIES[code & 7] as readonly [string, number]
  row['severity'] = severity
  row['severity_number'] = number
  row['facility'] = FACILITIES[code >> 3] ?? String(code >> 3)
  const header = HEADER.exec(rest)
  if (header !== null) newStyle(row, header, rest.slice(header[0].length))
  else oldStyle(row, rest, receivedMs)
  row['host'] ??= peer
  return row
}

function newStyle(row: Row, header: RegExpExecArray, rest: string): void {
  const [time, host, app, pid, id] = header.slice(1).map((part) => (part === '-' ? '' : part)) as [string, string, string, string, string]
  const timeUs = microseconds(time)
  if (timeUs !== null) row['time'] = timeUs
  if (host !== '') row['host'] = host
  if (app !== '') row['service'] = app
  if (pid !== '') row['pid'] = pid
  if (id !== '') row['msgid'] = id
  row['body'] = structured(row, rest)
    .replace(/^ /, '')
    .replace(/^\uFEFF/, '')
}

const ELEMENT = /^\[([^\s=\]"]{1,64})/
const PARAMETER = /^ +([^\s=\]"]{1,64})="((?:[^"\\]|\\.)*)"/

/** Structured data becomes `sd.<id>.<name>`. @returns what follows it; where it is broken, all of it from there */
function structured(row: Row, from: string): string {
  if (from.startsWith('-')) return from.slice(1)
  let rest = from
  for (let count = 0; ;) {
    const element = ELEMENT.exec(rest)
    if (element === null) return rest
    let inner = rest.slice(element[0].length)
    const found: Row = {}
    for (let parameter = PARAMETER.exec(inner); parameter !== null && count < PARAMETERS_MAX; parameter = PARAMETER.exec(inner)) {
      found[`sd.${element[1]}.${parameter[1]}`] = (parameter[2] as string).replaceAll(/\\(["\\\]])/g, '$1')
      inner = inner.slice(parameter[0].length)
      count += 1
    }
    if (!inner.startsWith(']')) return rest
    Object.assign(row, found)
    rest = inner.slice(1)
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY_MS = 86_400_000

function oldStyle(row: Row, from: string, receivedMs: number): void {
  let rest = from
  const time = OLD_TIME.exec(rest)
  if (time !== null) {
    const timeUs = oldTime(time, receivedMs)
    if (timeUs !== null) row['time'] = timeUs
    rest = rest.slice(time[0].length)
  } else {
    // rsyslog and others write RFC 3339 in its place.
    const word = /^(\d{4}-\d\d-\d\dT\S+) /.exec(rest)
    const timeUs = word === null ? null : microseconds(word[1])
    if (word !== null && timeUs !== null) {
      row['time'] = timeUs
      rest = rest.slice(word[0].length)
    }
  }
  // A host is there only behind a time; without one the first word is of the message.
  const host = row['time'] === undefined ? null : /^([^\s:[\]]{1,255}) (?=\S+)/.exec(rest)
  if (host !== null) {
    row['host'] = host[1] as string
    rest = rest.slice(host[0].length)
  }
  const tag = OLD_TAG.exec(rest)
  if (tag !== null) {
    row['service'] = tag[1] as string
    if (tag[2] !== undefined) row['pid'] = tag[2]
    rest = rest.slice(tag[0].length)
  }
  row['body'] = rest
}

/** Of the year in which it is at most a day ahead. */
function oldTime(match: RegExpExecArray, receivedMs: number): number | null {
  const month = MONTHS.indexOf(match[1] as string) + 1
  const [day, hour, minute, second] = [2, 3, 4, 5].map((i) => Number(match[i])) as [number, number, number, number]
  if (month === 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return null
  const at = (year: number): number => (daysOf({ year, month, day }) * 86_400 + hour * 3600 + minute * 60 + second) * 1000
  const year = 1970 + Math.floor(receivedMs / (365.2425 * DAY_MS))
  const ms = [year + 1, year, year - 1].map(at).find((one) => one <= receivedMs + DAY_MS)
  return ms === undefined ? null : ms * 1000 + Number((match[6] ?? '').padEnd(6, '0') || 0)
}
