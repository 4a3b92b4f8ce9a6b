import { LIMITS } from '../limits.ts'
import type { PgRefusal } from './problem.ts'

interface Setting {
  value: string
  description: string
  /** told to the client when a connection begins, and when it changes */
  isReported?: boolean
  isFixed?: boolean
}

export const SERVER_VERSION = '15.0'

/** What `SHOW` and `SET` know. Whatever else has a dot in its name may be set, as in PostgreSQL, and means nothing. */
export const SETTINGS: Record<string, Setting> = {
  server_version: { value: SERVER_VERSION, description: 'Shows the server version.', isReported: true, isFixed: true },
  server_version_num: { value: '150000', description: 'Shows the server version as an integer.', isFixed: true },
  server_encoding: { value: 'UTF8', description: 'Shows the server (database) character set encoding.', isReported: true, isFixed: true },
  client_encoding: { value: 'UTF8', description: "Sets the client's character set encoding.", isReported: true },
  application_name: { value: '', description: 'Sets the application name to be reported in statistics and logs.', isReported: true },
  is_superuser: { value: 'off', description: 'Shows whether the current user is a superuser.', isReported: true, isFixed: true },
  DateStyle: { value: 'ISO, MDY', description: 'Sets the display format for date and time values.', isReported: true },
  IntervalStyle: { value: 'postgres', description: 'Sets the display format for interval values.', isReported: true },
  TimeZone: { value: 'UTC', description: 'Times are told in UTC, whatever is set.', isReported: true },
  integer_datetimes: { value: 'on', description: 'Shows whether datetimes are integer based.', isReported: true, isFixed: true },
  standard_conforming_strings: { value: 'on', description: "Causes '...' strings to treat backslashes literally.", isReported: true },
  default_transaction_read_only: { value: 'on', description: 'All that is answered is reading.', isReported: true },
  transaction_read_only: { value: 'on', description: 'All that is answered is reading.' },
  in_hot_standby: { value: 'off', description: 'Shows whether hot standby is currently active.', isReported: true, isFixed: true },
  session_authorization: { value: 'muster', description: 'Sets the session user name.', isReported: true, isFixed: true },
  statement_timeout: {
    value: `${LIMITS.deadlineMsMax / 1000}s`,
    description: 'Sets the maximum allowed duration of any statement; at most a minute.',
  },
  'muster.require': { value: 'full', description: 'full: an answer with rows missing is an error; partial: it comes with a notice.' },
  search_path: { value: 'public', description: 'Sets the schema search order; there is one schema.' },
  extra_float_digits: {
    value: '1',
    description: 'Sets the number of digits displayed for floating-point values; always the shortest exact.',
  },
  client_min_messages: { value: 'notice', description: 'Sets the message levels that are sent to the client.' },
  bytea_output: { value: 'hex', description: 'Sets the output format for bytea.' },
  transaction_isolation: { value: 'read committed', description: 'Each statement sees what was acknowledged before it.' },
  default_transaction_isolation: { value: 'read committed', description: 'Each statement sees what was acknowledged before it.' },
  lock_timeout: { value: '0', description: 'Nothing locks.' },
  idle_in_transaction_session_timeout: { value: '0', description: 'Connections that say nothing are closed after an hour.' },
  row_security: { value: 'on', description: 'There is none.' },
  max_identifier_length: { value: '63', description: 'Shows the maximum identifier length.', isFixed: true },
  max_index_keys: { value: '32', description: 'Shows the maximum number of index keys.', isFixed: true },
  lc_collate: { value: 'C', description: 'Shows the collation order locale.', isFixed: true },
  lc_ctype: { value: 'C', description: 'Shows the character classification and case conversion locale.', isFixed: true },
  lc_messages: { value: 'C', description: 'Sets the language in which messages are displayed.' },
  max_connections: {
    value: String(LIMITS.pgConnectionsMax),
    description: 'Sets the maximum number of concurrent connections.',
    isFixed: true,
  },
  unix_socket_directories: { value: '', description: 'Directory of the socket of the owner.', isFixed: true },
  synchronous_commit: { value: 'on', description: 'Nothing is written here.' },
  geqo: { value: 'on', description: 'Means nothing here.' },
  jit: { value: 'off', description: 'Means nothing here.' },
  constraint_exclusion: { value: 'partition', description: 'Means nothing here.' },
  enable_seqscan: { value: 'on', description: 'Means nothing here.' },
}

const NAMES = new Map(Object.keys(SETTINGS).map((name) => [name.toLowerCase(), name]))

/** The settings of one connection. */
export class SessionSettings {
  readonly #values = new Map<string, string>()
  readonly #first: Map<string, string>

  constructor(first: Record<string, string>) {
    this.#first = new Map(Object.entries(first).map(([name, value]) => [spelled(name), value]))
  }

  /** undefined: there is none of this name */
  get(name: string): string | undefined {
    const known = spelled(name)
    return this.#values.get(known) ?? this.#first.get(known) ?? SETTINGS[known]?.value
  }

  /** @returns the name as it is reported if clients are to be told, else null; or why not */
  set(name: string, value: string): string | null | PgRefusal {
    const known = spelled(name)
    const setting = SETTINGS[known]
    if (setting === undefined && !known.includes('.')) return unknownSetting(name)
    if (setting?.isFixed === true) return { sqlState: '55P02', message: `parameter "${known}" cannot be changed` }
    const accepted = acceptedValue(known, value)
    if (typeof accepted !== 'string') return accepted
    this.#values.set(known, accepted)
    return setting?.isReported === true ? known : null
  }

  /** What was set until now is how the connection began. */
  settle(): void {
    for (const [name, value] of this.#values) this.#first.set(name, value)
    this.#values.clear()
  }

  /** Back to how the connection began; without a name, all. */
  reset(name?: string): void {
    if (name === undefined) this.#values.clear()
    else this.#values.delete(spelled(name))
  }

  /** Name and value of each, in order. */
  all(): [string, string, string][] {
    return Object.entries(SETTINGS)
      .map(([name, { description }]): [string, string, string] => [name, this.get(name) ?? '', description])
      .sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  }

  reported(): [string, string][] {
    return Object.entries(SETTINGS).flatMap(([name, { isReported }]) => (isReported ? [[name, this.get(name) ?? '']] : []))
  }

  /** ms; at most what a query may take */
  get statementTimeoutMs(): number {
    const ms = durationMs(this.get('statement_timeout') ?? '') ?? 0
    return ms === 0 ? LIMITS.deadlineMsMax : Math.min(ms, LIMITS.deadlineMsMax)
  }

  get isPartialGood(): boolean {
    return this.get('muster.require') === 'partial'
  }
}

const spelled = (name: string): string => NAMES.get(name.toLowerCase()) ?? name.toLowerCase()

export const unknownSetting = (name: string): PgRefusal => ({
  sqlState: '42704',
  message: `unrecognized configuration parameter "${name}"`,
})

function acceptedValue(name: string, value: string): string | PgRefusal {
  const invalid = (hint: string): PgRefusal => ({ sqlState: '22023', message: `invalid value for parameter "${name}": "${value}"`, hint })
  switch (name) {
    case 'muster.require':
      return value === 'full' || value === 'partial' ? value : invalid('full or partial.')
    case 'client_encoding':
      return /^(utf-?8|unicode|sql_ascii)$/i.test(value.replaceAll("'", '')) ? 'UTF8' : invalid('Text is UTF8 here.')
    case 'statement_timeout':
      return durationMs(value) === null ? invalid('Milliseconds, or a number with ms, s or min.') : value
    case 'TimeZone':
      return 'UTC'
    case 'DateStyle':
      return 'ISO, MDY'
    case 'IntervalStyle':
      return 'postgres'
    case 'standard_conforming_strings':
    case 'default_transaction_read_only':
    case 'transaction_read_only':
      return /^(on|true|yes|1)$/i.test(value) ? 'on' : invalid('It is always on.')
    default:
      return value.slice(0, 256)
  }
}

/** `1500`, `1500ms`, `2s`, `1min` → ms; null: none of these */
function durationMs(text: string): number | null {
  const [, count, unit = 'ms'] = /^\s*(\d{1,9})\s*(ms|s|min)?\s*$/.exec(text) ?? []
  if (count === undefined) return null
  return Number(count) * (unit === 'min' ? 60_000 : unit === 's' ? 1000 : 1)
}
