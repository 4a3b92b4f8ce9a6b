import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { parseDuration } from '../../core/kernel/units.ts'
import type { StoredBoard, StoredSaved } from '../../core/scuba/saved/queries.ts'
import type { Asked, Board } from '../../core/scuba/saved/schema.ts'
import type { BoardAnswer, PanelAnswer, PanelRequest, QueryAnswer } from '../../core/scuba/wire-types.ts'
import { ApiError, ask, askTagged, type Tagged } from '../live/api.ts'
import { useAsked } from '../live/use-asked.ts'
import { Shell } from '../shell/shell.tsx'
import { dateTime } from '../shell/text.ts'
import { askQuery } from './ask-store.ts'
import { linkOf, shownPanels, type ShownPanel } from './board-panels.ts'
import { CoverageBadge } from './coverage-badge.tsx'
import { GroupTable } from './group-table.tsx'
import { valueText } from './numbers.ts'
import { PanelCharts } from './panel-charts.tsx'
import { RangeField } from './query-bar.tsx'
import { panelRequest, timesOf } from '../../core/scuba/explore/range.ts'
import { RowTable } from './row-table.tsx'
import { StateBox } from './state-box.tsx'

const PANEL_PX = 190
const TABLE_ROWS = 50
const HELP = [{ keys: 'Tab, Enter', does: 'to a panel, and with its title into the explorer' }]

interface Kept {
  boards: StoredBoard[]
  saved: StoredSaved[]
}

/** The page `boards`: which there are, or one of them. */
export function BoardsPage(): JSX.Element {
  const name = new URLSearchParams(location.search).get('name')
  const kept = useAsked('boards', loadKept, 30_000)
  const board = kept.data?.boards.find((each) => each.board.name === name)
  return (
    <Shell
      page="boards"
      link={kept.error?.code === 'SESSION_OVER' ? 'over' : kept.error === null ? 'live' : 'lost'}
      error={kept.error}
      warnings={[]}
      help={HELP}
      isWide
    >
      {name === null && <BoardList kept={kept.data} />}
      {name !== null && board === undefined && kept.data !== null && (
        <>
          <h1>Boards</h1>
          <p class="notice">
            ▲ There is no board {name}. <a href="/boards">All boards</a>
          </p>
        </>
      )}
      {board !== undefined && kept.data !== null && <BoardGrid key={board.version} board={board.board} saved={kept.data.saved} />}
    </Shell>
  )
}

async function loadKept(signal: AbortSignal): Promise<Kept> {
  const [boards, saved] = await Promise.all([
    ask<{ boards: StoredBoard[] }>('scuba.board.list', {}, signal),
    ask<{ queries: StoredSaved[] }>('scuba.saved.list', {}, signal),
  ])
  return { boards: boards.data.boards, saved: saved.data.queries }
}

function BoardList({ kept }: { kept: Kept | null }): JSX.Element {
  return (
    <>
      <h1>Boards</h1>
      {kept?.boards.length === 0 && (
        <p class="empty">
          None yet. Put one: <code>muster scuba board put templates/boards/requests.yaml</code>
        </p>
      )}
      <ul class="cards">
        {kept?.boards.map(({ board, setAtMs, setBy }) => (
          <li key={board.name} class="card">
            <a href={`/boards?name=${board.name}`}>
              <b>{board.title ?? board.name}</b>
            </a>
            <small>
              {board.panels.length} panels, last {board.since}
            </small>
            <small>
              {dateTime(setAtMs)}, {setBy}
            </small>
          </li>
        ))}
      </ul>
      <h2>Saved queries</h2>
      {kept?.saved.length === 0 && <p class="empty">None yet. The explorer shows the command that saves what it shows.</p>}
      <ul class="cards">
        {kept?.saved.map(({ query, setBy }) => {
          const { name, title, ...asked } = query
          return (
            <li key={name} class="card">
              <a href={linkOf(asked)}>
                <b>{title ?? name}</b>
              </a>
              <small>{asked.sql === undefined ? `${(asked.calc ?? ['count']).join(', ')} of ${asked.table ?? ''}` : 'SQL'}</small>
              <small>{setBy}</small>
            </li>
          )
        })}
      </ul>
    </>
  )
}

type PanelResult = { panel: PanelAnswer } | { rows: QueryAnswer } | { error: ApiError }

function BoardGrid({ board, saved }: { board: Board; saved: readonly StoredSaved[] }): JSX.Element {
  const [range, setRange] = useState<Pick<Asked, 'since' | 'until'> | null>(() => rangeOfAddress())
  const panels = shownPanels(board, saved, range)
  const everyMs = range?.until === undefined ? Math.max(2000, parseDuration(board.refresh) ?? 10_000) : null
  const { data, isLoading, error } = useAsked(JSON.stringify(panels), (signal) => askBoard(panels, signal), everyMs)
  useEffect(() => {
    const params = new URLSearchParams({
      name: board.name,
      ...(range?.since === undefined ? {} : { since: range.since }),
      ...(range?.until === undefined ? {} : { until: range.until }),
    })
    history.replaceState(null, '', `/boards?${params.toString()}`)
  }, [range, board.name])
  return (
    <>
      <header class="board-head">
        <h1>{board.title ?? board.name}</h1>
        <RangeField asked={range ?? { since: board.since }} onChange={setRange} />
        {range !== null && (
          <button type="button" onClick={() => setRange(null)}>
            as the board says
          </button>
        )}
        <span class="empty">{everyMs === null ? 'fixed times' : `asked every ${board.refresh}`}</span>
        <span class={`spinner ${isLoading ? 'on' : ''}`} aria-hidden="true" />
      </header>
      <div class="board">
        {panels.map((panel, i) => (
          <BoardPanelCard key={`${i} ${panel.title}`} panel={panel} result={data?.[i] ?? (error === null ? null : { error })} />
        ))}
      </div>
    </>
  )
}

function rangeOfAddress(): Pick<Asked, 'since' | 'until'> | null {
  const params = new URLSearchParams(location.search)
  const [since, until] = [params.get('since'), params.get('until')]
  return since === null ? null : { since, ...(until === null ? {} : { until }) }
}

/** All panels in one request; SQL, which that does not take, beside it. */
async function askBoard(panels: readonly ShownPanel[], signal: AbortSignal): Promise<(PanelResult | null)[]> {
  const now = Date.now()
  const asked = panels.map(({ asked: each }) => each)
  const requests = asked.filter((each): each is Asked => each !== null && each.sql === undefined).map((each) => panelRequest(each, now, 90))
  const [board, ...rows] = await Promise.all([
    requests.length === 0 ? { panels: [] } : boardOf(requests, signal),
    ...asked.map((each) => (each?.sql === undefined ? null : rowsOf(each, now, signal))),
  ])
  const answers = [...board.panels]
  return asked.map((each, i) => {
    if (each === null) return null
    if (each.sql !== undefined) return rows[i] ?? null
    const answer = answers.shift()
    if (answer === undefined) return null
    return answer.ok ? { panel: answer.answer } : { error: new ApiError(answer.error.code, answer.error.message, answer.error.hint ?? '') }
  })
}

let newest: Tagged<BoardAnswer> | null = null

/** While nothing changed the store says only that. */
async function boardOf(panels: PanelRequest[], signal: AbortSignal): Promise<BoardAnswer> {
  newest = await askTagged<BoardAnswer>('/v1/scuba/board', { panels }, newest, signal)
  return newest.answer
}

async function rowsOf(asked: Asked, now: number, signal: AbortSignal): Promise<PanelResult> {
  try {
    return { rows: await askQuery({ sql: asked.sql ?? '', ...timesOf(asked, now) }, signal) }
  } catch (error) {
    if (error instanceof ApiError) return { error }
    throw error
  }
}

function BoardPanelCard({ panel, result }: { panel: ShownPanel; result: PanelResult | null }): JSX.Element {
  const { asked, title, width, saved } = panel
  const error = result !== null && 'error' in result ? result.error : null
  const answer = result !== null && 'panel' in result ? result.panel : null
  const rows = result !== null && 'rows' in result ? result.rows : null
  return (
    <section class={`card span-${width}`} aria-label={title}>
      <header class="card-head">
        <h2>{asked === null ? title : <a href={linkOf(asked)}>{title}</a>}</h2>
        <CoverageBadge of={answer ?? rows} />
      </header>
      {asked === null ? (
        <StateBox
          height={PANEL_PX}
          error={new ApiError('NOT_FOUND', `the saved query ${saved ?? ''} is gone`, 'Save it again, or take the panel out.')}
          isLoading={false}
        />
      ) : error !== null || (answer === null && rows === null) ? (
        <StateBox height={PANEL_PX} error={error} isLoading={result === null} />
      ) : rows !== null ? (
        rows.rows.length === 0 ? (
          <StateBox height={PANEL_PX} error={null} isLoading={false} />
        ) : (
          <div class="low">
            <RowTable answer={{ columns: rows.columns, rows: rows.rows.slice(0, TABLE_ROWS) }} label={title} />
          </div>
        )
      ) : answer === null ? null : asked.view === 'number' ? (
        <Numbers answer={answer} />
      ) : asked.view === 'table' ? (
        answer.groups.length === 0 ? (
          <StateBox height={PANEL_PX} error={null} isLoading={false} />
        ) : (
          <div class="low">
            <GroupTable answer={answer} hasColours={false} />
          </div>
        )
      ) : (
        <>
          <PanelCharts answer={answer} error={null} isLoading={false} height={PANEL_PX} title={title} hasTables={false} />
          {asked.view !== 'heat' && answer.groups.length > 0 && (
            <details class="twin">
              <summary>{answer.groups.length === 1 ? 'its value' : `${answer.groups.length} groups`} as a table</summary>
              <GroupTable answer={answer} />
            </details>
          )}
        </>
      )}
    </section>
  )
}

/** Values over the whole range, as large as they are important. */
function Numbers({ answer }: { answer: PanelAnswer }): JSX.Element {
  const [all] = answer.groups
  return (
    <dl class="numbers">
      {answer.calc.map((calc) => (
        <div key={calc}>
          <dd>{valueText(all?.values[calc], calc)}</dd>
          <dt>{calc}</dt>
        </div>
      ))}
    </dl>
  )
}
