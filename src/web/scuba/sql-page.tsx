import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { commandOf } from '../../core/scuba/saved/command.ts'
import { askedOfLink, linkParams } from '../../core/scuba/saved/link.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type { QueryAnswer } from '../../core/scuba/wire-types.ts'
import { ApiError } from '../live/api.ts'
import { useAsked } from '../live/use-asked.ts'
import { isTyping, Shell } from '../shell/shell.tsx'
import { count } from '../shell/text.ts'
import { askQuery, askTables, checkRange } from './ask-store.ts'
import { columnText } from '../../core/scuba/explore/conditions.ts'
import { copyText } from './copy.ts'
import { CoverageBadge } from './coverage-badge.tsx'
import { tidy } from './explore-state.ts'
import { RangeField } from './query-bar.tsx'
import { ROWS_MAX, timesOf } from '../../core/scuba/explore/range.ts'
import { RowTable } from './row-table.tsx'
import { placeOf, type Place } from './sql-place.ts'

const FIRST =
  'SELECT service, count(*) AS requests, quantile_cont(latency_ms, 0.99) AS p99_ms\nFROM requests\nGROUP BY service\nORDER BY requests DESC\nLIMIT 100'
const HELP = [
  { keys: 'Ctrl Enter', does: 'in the text: run' },
  { keys: 'Esc', does: 'stop what runs' },
  { keys: '/', does: 'to the text' },
]

type Run =
  | { state: 'none' }
  | { state: 'running' }
  | { state: 'done'; answer: QueryAnswer }
  | { state: 'refused'; error: ApiError; place: Place | null }

/** The page `sql`: one SELECT over the tables, its errors where they are, its rows as a table. */
export function SqlPage(): JSX.Element {
  const [asked, setAsked] = useState<Asked>(() => ({ sql: FIRST, ...askedOfLink(new URLSearchParams(location.search)) }))
  const [run, setRun] = useState<Run>({ state: 'none' })
  const running = useRef<AbortController | null>(null)
  const field = useRef<HTMLTextAreaElement>(null)
  const tables = useAsked('tables', askTables, 60_000)

  const stop = (): void => running.current?.abort()
  const start = async (): Promise<void> => {
    const sql = field.current?.value ?? ''
    if (sql.trim() === '') return
    stop()
    const mine = new AbortController()
    running.current = mine
    const now = tidy({ ...asked, sql, table: undefined })
    history.replaceState(null, '', `/sql?${new URLSearchParams(linkParams(now)).toString()}`)
    setRun({ state: 'running' })
    try {
      checkRange(asked)
      // Times bound every table of the text, so that a short range reads few files.
      const answer = await askQuery({ sql, ...timesOf(asked, Date.now()) }, mine.signal)
      if (running.current === mine) setRun({ state: 'done', answer })
    } catch (failed) {
      if (running.current !== mine) return
      if (mine.signal.aborted) return setRun({ state: 'none' })
      const error = failed instanceof ApiError ? failed : new ApiError('INTERNAL', String(failed), '')
      const place = placeOf(sql, error.details)
      setRun({ state: 'refused', error, place })
      if (place !== null) {
        field.current?.focus()
        field.current?.setSelectionRange(place.offset, place.offset + 1)
      }
    }
  }
  useEffect(() => {
    if (new URLSearchParams(location.search).has('sql')) void start()
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '/' || isTyping(event)) return
      event.preventDefault()
      field.current?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- a link with SQL runs it once
  }, [])
  const insert = (text: string): void => {
    const { current } = field
    if (current === null) return
    current.setRangeText(text, current.selectionStart, current.selectionEnd, 'end')
    current.focus()
  }
  return (
    <Shell
      page="sql"
      link={run.state === 'refused' && run.error.code === 'SESSION_OVER' ? 'over' : 'live'}
      error={tables.error}
      warnings={[]}
      help={HELP}
      isWide
    >
      <h1 class="visually-hidden">SQL</h1>
      <div class="explore">
        <nav class="rail" aria-label="Tables">
          <ul>
            {(tables.data ?? []).map((table) => (
              <li key={table.name}>
                <details>
                  <summary>
                    <span class="name">{table.name}</span> <small>{count(table.rows)}</small>
                  </summary>
                  <ul class="values">
                    {Object.entries(table.columns).map(([name, type]) => (
                      <li key={name}>
                        <button type="button" class="value" onClick={() => insert(columnText(name))}>
                          {name}
                        </button>
                        <small>{type.toLowerCase()}</small>
                      </li>
                    ))}
                  </ul>
                </details>
              </li>
            ))}
          </ul>
        </nav>
        <div class="explore-main">
          <section class="card sql" aria-label="Query">
            <textarea
              ref={field}
              aria-label="SQL"
              spellcheck={false}
              autocomplete="off"
              rows={9}
              defaultValue={asked.sql}
              aria-invalid={run.state === 'refused'}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
                  event.preventDefault()
                  void start()
                }
                if (event.key === 'Escape') stop()
              }}
            />
            <div class="query-line">
              <button type="button" class="main" onClick={() => void start()}>
                Run
              </button>
              <button type="button" disabled={run.state !== 'running'} onClick={stop}>
                Stop
              </button>
              <RangeField asked={asked} onChange={(times) => setAsked(tidy({ ...asked, since: undefined, until: undefined, ...times }))} />
              <button
                type="button"
                onClick={() => void copyText(commandOf(tidy({ ...asked, sql: field.current?.value, table: undefined })))}
              >
                copy command
              </button>
              {run.state === 'done' && <CoverageBadge of={run.answer} />}
              {run.state === 'running' && <CoverageBadge of={null} isLoading />}
            </div>
          </section>
          <div aria-live="polite">
            {run.state === 'refused' && <Refused error={run.error} place={run.place} />}
            {run.state === 'done' && <Rows answer={run.answer} />}
            {run.state === 'none' && <p class="empty">Ctrl + Enter runs it. Times of the range bound the rows of every table.</p>}
          </div>
        </div>
      </div>
    </Shell>
  )
}

function Refused({ error, place }: { error: ApiError; place: Place | null }): JSX.Element {
  return (
    <div class="notice bad" role="alert">
      <b>✖ {error.message}</b>
      {place !== null && (
        <pre class="place">
          {`${String(place.line).padStart(4)} │ ${place.text}\n`}
          {`     │ ${' '.repeat(Math.max(0, place.column - 1))}▲`}
        </pre>
      )}
      <small>
        {error.hint} {error.code}
      </small>
    </div>
  )
}

function Rows({ answer }: { answer: QueryAnswer }): JSX.Element {
  const rows = answer.rows.slice(0, ROWS_MAX)
  if (answer.rows.length === 0) return <p class="empty">∅ No rows.</p>
  return (
    <>
      <p class="empty">
        {answer.rows.length > ROWS_MAX
          ? `The first ${count(ROWS_MAX)} of ${count(answer.rows.length)} rows.`
          : `${count(rows.length)} rows.`}
      </p>
      <RowTable answer={{ columns: answer.columns, rows }} label="Answer" />
    </>
  )
}
