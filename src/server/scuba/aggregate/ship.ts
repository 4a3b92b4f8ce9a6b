import { createWriteStream } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { refuse } from '../../../core/kernel/errors.ts'
import type { Bounds } from '../../../core/scuba/limits.ts'
import { viewSql, type ViewFile } from '../../../core/scuba/plan/view.ts'
import { coverageOfLeaves } from '../../../core/scuba/shards/coverage.ts'
import type { Equality } from '../../../core/scuba/sql/equalities.ts'
import { readTables, type Needed, type Reading } from '../leaf/reading.ts'
import type { Store } from '../leaf/store.ts'
import { silent } from './call.ts'
import type { Peers } from './peers.ts'
import { ROWS_HEAD, type RowsHead, type RowsRequest } from './wire.ts'

/** Which rows of all leaves a statement needs. */
export interface Wanted {
  /** null: every column */
  columns: ReadonlySet<string> | null
  /** condition over the only table */
  where?: string | null
  equalities?: readonly Equality[]
  /** conditions as nodes of the engine's parse tree */
  conditions?: Needed['conditions']
  params?: Needed['params']
  /** without others, what is in ClickHouse may be left to `store.fetchAway` */
  mayBeLater?: boolean
  deadlineMs: number
  signal?: AbortSignal | undefined
}

let files = 0

/**
 * As `store.read`, with the other leaves' rows beside this one's: they come as files of their own, which go when the reading
 * ends. A statement of any kind is then answered by one engine, over all rows.
 * @throws SCUBA_TOO_LARGE beyond 5 million rows or 256 MB of all others together, before more than that has travelled
 */
export async function readEverywhere(
  store: Store,
  names: readonly string[],
  range: { sinceMs?: number | undefined; untilMs?: number | undefined },
  wanted: Wanted,
): Promise<Reading> {
  const { peers } = store
  const { columns, conditions, params, deadlineMs, signal } = wanted
  const isLater = wanted.mayBeLater === true && peers?.isAlone !== false
  const needed = { columns, deadlineAtMs: Date.now() + deadlineMs, signal, ...(conditions && params ? { conditions, params } : {}) }
  const reading = await readTables(store, names, range, isLater ? 'later' : needed)
  if (peers === null || peers.isAlone || names.length === 0) return reading
  const own: string[] = []
  const end = (): void => {
    reading.end()
    for (const path of own) void unlink(path).catch(() => undefined)
  }
  try {
    return { ...(await withOthers(store, peers, reading, range, wanted, own)), end }
  } catch (error) {
    end()
    throw error
  }
}

async function withOthers(
  store: Store,
  peers: Peers,
  reading: Reading,
  range: { sinceMs?: number | undefined; untilMs?: number | undefined },
  { columns, where = null, equalities = [], deadlineMs, signal }: Wanted,
  own: string[],
): Promise<Omit<Reading, 'end'>> {
  const until = Date.now() + deadlineMs
  const answered = [{ coverage: reading.coverage, rowsScanned: reading.rowsScanned }]
  const missing: Parameters<typeof coverageOfLeaves>[1][number][] = []
  const tables: Reading['tables'] = []
  const travel = new Travel(store.bounds)
  const stopping = signal === undefined ? travel.full.signal : AbortSignal.any([signal, travel.full.signal])
  for (const table of reading.tables) {
    const { view } = table
    const known = Object.keys(view.columns)
    const derivedNames = (view.derived ?? []).map(({ name }) => name.toLowerCase())
    // A derived column reads others: then all of them travel.
    const isAll = columns === null || derivedNames.some((name) => columns.has(name))
    const asked: Omit<RowsRequest, 'deadlineMs'> = {
      table: table.name,
      view: { columns: view.columns, retyped: [...(view.retyped ?? [])], derived: [...(view.derived ?? [])] },
      columns: isAll ? known : known.filter((name) => name === 'time' || columns.has(name.toLowerCase())),
      where,
      equal: equalities.filter(({ column }) => known.some((name) => name.toLowerCase() === column.toLowerCase())),
      sinceMs: range.sinceMs,
      untilMs: range.untilMs,
    }
    const left = until - Date.now()
    const result = await peers.each(
      table.name,
      async ({ of, at, copy }, stop) => {
        const body = { ...asked, ...(copy ? { copy } : {}), deadlineMs: Math.max(1, Math.floor(left * 0.9)) }
        const reply = await peers.calls.postFor(at, 'rows', body, stop)
        const head = JSON.parse(String(reply.headers[ROWS_HEAD])) as RowsHead
        travel.add(`${table.name} of ${of.id}`, head.rows, Number(reply.headers['content-length']))
        const path = join(store.dir, 'tmp', `away-${process.pid}-${(files += 1)}.parquet`)
        own.push(path)
        await pipeline(reply, createWriteStream(path, { mode: 0o600 })).catch((error: unknown) => {
          throw silent(error)
        })
        return { head, path }
      },
      { deadlineMs: left, signal: stopping },
      { byCopy: true },
    )
    if (travel.full.signal.aborted) throw tooLarge(store.bounds)
    const added: ViewFile[] = []
    for (const { head, path } of result.answers) {
      answered.push(head)
      if (head.rows > 0) added.push({ path, kind: 'segment', rows: head.rows, minUs: head.minUs, maxUs: head.maxUs })
    }
    missing.push(...result.missing.map((one) => ({ ...one, rows: peers.rowsOf(one.leaf, table.name, range.sinceMs, range.untilMs) })))
    tables.push({ ...table, files: [...table.files, ...added], view: { ...view, files: [...view.files, ...added] } })
  }
  const whole = coverageOfLeaves(answered, missing)
  // Each table was asked for by itself; a leaf counts once.
  const away = new Set(missing.map(({ leaf }) => leaf)).size
  const leavesAsked = 1 + Math.max(...reading.tables.map(({ name }) => peers.countOf(name)))
  const coverage = { ...whole.coverage, leaves: leavesAsked - away, leavesAsked, missing: [...new Set(whole.coverage.missing)] }
  const views = tables.map(({ name, view }) => ({ name, sql: viewSql(view).sql }))
  return { tables, views, rowsScanned: whole.rowsScanned, coverage }
}

/** What of others is on its way for one question. */
class Travel {
  /** aborted when it is too much */
  readonly full = new AbortController()
  readonly #bounds: Bounds
  /** by what it is of: a copy that is asked beside its leaf sends the same */
  readonly #parts = new Map<string, { rows: number; bytes: number }>()

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  /** Called before what is counted is read: so no more than the bounds allow lies on the disk. */
  add(what: string, rows: number, bytes: number): void {
    const before = this.#parts.get(what)
    this.#parts.set(what, { rows: Math.max(rows, before?.rows ?? 0), bytes: Math.max(bytes, before?.bytes ?? 0) })
    const parts = [...this.#parts.values()]
    const sum = (of: 'rows' | 'bytes'): number => parts.reduce((total, part) => total + part[of], 0)
    if (sum('rows') <= this.#bounds.travelRowsMax && sum('bytes') <= this.#bounds.travelBytesMax) return
    this.full.abort()
    throw tooLarge(this.#bounds)
  }
}

export const tooLarge = ({ travelRowsMax, travelBytesMax }: Bounds): Error =>
  refuse(
    'SCUBA_TOO_LARGE',
    `more than ${travelRowsMax} rows or ${Math.floor(travelBytesMax / 1024 / 1024)} MB of other leaves would have to travel`,
    {
      hint: 'Narrow the time range, name fewer columns, or ask with a panel, which is worked out where the rows are.',
    },
  )
