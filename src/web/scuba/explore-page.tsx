import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { commandOf } from '../../core/scuba/saved/command.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type { PlainValue } from '../../core/scuba/wire-types.ts'
import { useAsked } from '../live/use-asked.ts'
import { useNow } from '../live/use-now.ts'
import { isTyping, Shell } from '../shell/shell.tsx'
import { count } from '../shell/text.ts'
import { askDiff, askPanel, askQuery, askTables, checkRange } from './ask-store.ts'
import { ColumnRail } from './column-rail.tsx'
import { columnText, conditionOf, groupConditions, withCondition } from '../../core/scuba/explore/conditions.ts'
import { copyText } from './copy.ts'
import { CoverageBadge } from './coverage-badge.tsx'
import { DiffPanel } from './diff-panel.tsx'
import { diffRequest, rowsRequest } from '../../core/scuba/explore/explored.ts'
import { exploreOf, ROWS_SHOWN, searchOf, TABS, tidy, toggled, type Explore, type Tab } from './explore-state.ts'
import { GroupTable } from './group-table.tsx'
import { MarkBar } from './mark-bar.tsx'
import { PanelCharts } from './panel-charts.tsx'
import { QueryBar } from './query-bar.tsx'
import { absolute, panelRequest, rangeOf, shifted, stepOf, zoomed } from '../../core/scuba/explore/range.ts'
import { RowTable } from './row-table.tsx'
import { StateBox } from './state-box.tsx'

const CHART_PX = 300
const LIVE_MIN_MS = 2000
const LIVE_MAX_MS = 30_000
const TAB_WORDS: Record<Tab, string> = { groups: 'Groups', rows: 'Rows', diff: 'What is different' }
const HELP = [
  { keys: '/', does: 'to the field for conditions' },
  { keys: 't  b  c', does: 'to the range, to group by, to calculate' },
  { keys: 'C', does: 'compare with a week, a day, an hour earlier' },
  { keys: 'v', does: 'lines, heat map, table' },
  { keys: '[  ]', does: 'the range before, the range after' },
  { keys: '← → ⇧', does: 'in a chart: its steps, and with Shift mark a stretch' },
  { keys: 'Enter', does: 'in a chart: the rows of the step' },
  { keys: 'z  D  r', does: 'the marked stretch: zoom, what is different, its rows' },
  { keys: 'x', does: 'forget the mark' },
  { keys: 'p', does: 'hold still, go on' },
  { keys: 'y  Y', does: 'copy the command, copy the link with fixed times' },
  { keys: 's', does: 'the same as SQL' },
]

/** The page `scuba`: any question about a table, by click, by text and by keys. */
export function ExplorePage(): JSX.Element {
  const [state, setState] = useState(() => exploreOf(new URLSearchParams(location.search)))
  const [isHeld, setHeld] = useState(false)
  const [bold, setBold] = useState<string | null>(null)
  const [told, setTold] = useState('')
  const { asked, tab, mark, only } = state
  const go = (next: Partial<Explore>, isSmall = false): void => {
    const whole = { ...state, ...next }
    const path = `/scuba?${searchOf(whole)}`
    if (isSmall) history.replaceState(null, '', path)
    else history.pushState(null, '', path)
    setState(whole)
  }
  const goAsk = (part: Asked): void => go({ asked: tidy(part), only: [], mark: null })
  useEffect(() => {
    const onPop = (): void => setState(exploreOf(new URLSearchParams(location.search)))
    addEventListener('popstate', onPop)
    return () => removeEventListener('popstate', onPop)
  }, [])

  const tables = useAsked('tables', askTables, 30_000)
  const table = tables.data?.find(({ name }) => name === asked.table)
  useEffect(() => {
    if (asked.table !== undefined || tables.data === null || tables.data.length === 0) return
    const first = tables.data.find(({ name }) => name === 'requests') ?? tables.data.toSorted((a, b) => b.rows - a.rows)[0]
    if (first !== undefined) go({ asked: { ...asked, table: first.name } }, true)
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only a page without a table chooses one, when the tables are there
  }, [tables.data, asked.table])

  const range = rangeOf(asked, useNow())
  const stepMs = stepOf(range.untilMs - range.sinceMs, asked.step)
  const everyMs = range.isLive && !isHeld ? Math.min(LIVE_MAX_MS, Math.max(LIVE_MIN_MS, stepMs / 2)) : null
  const key = asked.table === undefined ? null : JSON.stringify(asked)
  const panel = useAsked(
    key,
    (signal) => {
      checkRange(asked)
      return askPanel(panelRequest(asked, Date.now()), signal)
    },
    everyMs,
  )
  const rowsKey =
    tab === 'rows' && asked.table !== undefined ? JSON.stringify([asked.table, asked.where, asked.since, asked.until, mark, only]) : null
  const rows = useAsked(
    rowsKey,
    (signal) => {
      checkRange(asked)
      return askQuery(rowsRequest(state, Date.now(), ROWS_SHOWN), signal)
    },
    mark === null && only.length === 0 ? everyMs : null,
  )
  const wanted = tab === 'diff' && asked.table !== undefined ? diffRequest(state, range.untilMs) : null
  const diffKey = wanted === null ? null : JSON.stringify([asked.table, asked.where, mark, only])
  const diff = useAsked(diffKey, (signal) => askDiff(wanted ?? { table: '', select: '' }, signal), null)

  const filter = (column: string, value: PlainValue, isNot: boolean): void =>
    goAsk({ ...asked, where: withCondition(asked.where, conditionOf(column, value, isNot)) })
  const tell = (text: string): void => {
    setTold(text)
    setTimeout(() => setTold(''), 2500)
  }
  const copy = (text: string, what: string): void => void copyText(text).then((isDone) => tell(isDone ? `${what} copied` : text))
  const copyLink = (isFixed: boolean): void => {
    const link = `${location.origin}/scuba?${searchOf(isFixed ? { ...state, asked: absolute(asked, Date.now()) } : state)}`
    copy(link, isFixed ? 'link with fixed times' : 'link')
  }
  const openStep = (stepAt: number, conditions: string[], widthMs = panel.data?.stepMs ?? stepMs): void =>
    go({ tab: 'rows', mark: { fromMs: stepAt, toMs: stepAt + widthMs }, only: conditions })
  const toSql = (): void => {
    const { sql } = rowsRequest({ ...state, mark: null }, Date.now(), ROWS_SHOWN)
    const params = new URLSearchParams({
      sql,
      ...(asked.since === undefined ? {} : { since: asked.since }),
      ...(asked.until === undefined ? {} : { until: asked.until }),
    })
    location.assign(`/sql?${params.toString()}`)
  }
  const keys: Record<string, () => void> = {
    '/': () => focusOn('add-where'),
    t: () => focusOn('range'),
    b: () => focusOn('add-by'),
    c: () => focusOn('add-calc'),
    C: () => goAsk({ ...asked, compare: ({ none: '1w', '1w': '1d', '1d': '1h' } as Record<string, string>)[asked.compare ?? 'none'] }),
    v: () =>
      document
        .querySelector<HTMLButtonElement>('.views button[aria-pressed="true"] + button:not([disabled]), .views button:first-child')
        ?.click(),
    '[': () => goAsk(shifted(asked, -1, Date.now())),
    ']': () => goAsk(shifted(asked, 1, Date.now())),
    z: () => mark !== null && goAsk(zoomed(asked, mark.fromMs, mark.toMs)),
    D: () => go({ tab: 'diff' }),
    r: () => go({ tab: 'rows' }),
    x: () => go({ mark: null, only: [] }),
    p: () => setHeld(!isHeld),
    y: () => copy(commandOf(asked), 'command'),
    Y: () => copyLink(true),
    s: toSql,
  }
  const acting = useRef(keys)
  acting.current = keys
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const act = isTyping(event) ? undefined : acting.current[event.key]
      if (act === undefined || document.querySelector('dialog[open]') !== null) return
      event.preventDefault()
      act()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  const link = panel.error?.code === 'SESSION_OVER' ? 'over' : panel.error?.code === 'SERVER_DOWN' ? 'lost' : 'live'
  const columns = useMemo(() => table?.columns ?? {}, [table])
  return (
    <Shell page="scuba" link={link} error={tables.error} warnings={[]} help={HELP} isWide>
      <h1 class="visually-hidden">Explorer</h1>
      <QueryBar asked={asked} tables={(tables.data ?? []).map(({ name }) => name)} columns={columns} onAsk={goAsk} />
      <div class="explore">
        <ColumnRail
          asked={asked}
          columns={columns}
          onFilter={filter}
          onGroup={(column) => goAsk({ ...asked, by: toggled(asked.by, column).slice(0, 4) })}
          onCalc={(calc) => goAsk({ ...asked, calc: toggled(asked.calc ?? ['count'], calc).slice(0, 6), view: undefined })}
          onHeat={(column) => goAsk({ ...asked, view: 'heat', heat: column })}
        />
        <div class="explore-main">
          <section class="card" aria-label="Chart">
            <header class="card-head">
              <h2>{titleOf(asked)}</h2>
              <CoverageBadge of={panel.data} isLoading={panel.isLoading} />
              <span class="tools">
                {range.isLive && (
                  <button type="button" aria-pressed={!isHeld} onClick={() => setHeld(!isHeld)}>
                    {isHeld ? '❚❚ held' : '▶ live'}
                  </button>
                )}
                <button type="button" onClick={() => copyLink(false)}>
                  copy link
                </button>
                <button type="button" onClick={() => copy(commandOf(asked), 'command')}>
                  copy command
                </button>
              </span>
            </header>
            {asked.view !== 'table' && (
              <PanelCharts
                answer={panel.data}
                error={panel.error}
                isLoading={panel.isLoading}
                height={CHART_PX * Math.max(1, Math.min(2, (asked.calc?.length ?? 1) * 0.7))}
                title={titleOf(asked)}
                mark={mark}
                bold={bold}
                onMark={(span) => go({ mark: span, only: [] })}
                onPoint={(line, step) =>
                  openStep(step, line === null || line.group.isOther ? [] : groupConditions(panel.data?.by ?? [], line.group.key))
                }
                onCell={(column, step, low, high) => openStep(step, [`${columnText(column)} >= ${low}`, `${columnText(column)} < ${high}`])}
              />
            )}
            {asked.view === 'table' && panel.error !== null && <StateBox height={CHART_PX} error={panel.error} isLoading={false} />}
            {asked.view !== 'table' && (
              <MarkBar
                hasChart={panel.data !== null && panel.error === null && panel.data.groups.length > 0}
                mark={mark}
                only={only}
                onZoom={() => mark !== null && goAsk(zoomed(asked, mark.fromMs, mark.toMs))}
                onTab={(next) => go({ tab: next })}
                onForget={() => go({ mark: null, only: [] })}
              />
            )}
          </section>
          <div class="tabs" role="tablist" aria-label="Below the chart">
            {TABS.map((each) => (
              <button key={each} type="button" role="tab" aria-selected={tab === each} onClick={() => go({ tab: each }, true)}>
                {TAB_WORDS[each]}
              </button>
            ))}
            <span class="told" role="status">
              {told}
            </span>
          </div>
          {tab === 'groups' && panel.data !== null && asked.view !== 'heat' && (
            <GroupTable
              answer={panel.data}
              hasColours={asked.view !== 'table'}
              onHover={setBold}
              onOnly={({ key: of }) =>
                goAsk({ ...asked, where: groupConditions(asked.by ?? [], of).reduce(withCondition, asked.where ?? []) })
              }
              onNot={({ key: of }) => goAsk({ ...asked, where: withCondition(asked.where, notGroup(asked.by ?? [], of)) })}
              onRows={({ key: of }) => go({ tab: 'rows', only: groupConditions(asked.by ?? [], of) })}
            />
          )}
          {tab === 'groups' && asked.view === 'heat' && <p class="empty">A heat map has all rows as one group.</p>}
          {tab === 'rows' && (
            <>
              <p class="empty">
                The newest rows{only.length > 0 || mark !== null ? ' of what is marked' : ''}
                {rows.data !== null && `: ${count(rows.data.rows.length)}${rows.data.rows.length === ROWS_SHOWN ? ', more there are' : ''}`}
              </p>
              {rows.data === null || rows.error !== null || rows.data.rows.length === 0 ? (
                <StateBox height={120} error={rows.error} isLoading={rows.isLoading} />
              ) : (
                <RowTable answer={rows.data} label="Rows" onFilter={filter} />
              )}
            </>
          )}
          {tab === 'diff' && wanted === null && (
            <p class="empty">
              Mark a stretch of the chart (drag, or Shift and the arrows), then see here in which columns its rows differ from the others.
            </p>
          )}
          {tab === 'diff' && wanted !== null && (diff.data === null || diff.error !== null) && (
            <StateBox height={120} error={diff.error} isLoading={diff.isLoading} />
          )}
          {tab === 'diff' && wanted !== null && diff.data !== null && diff.error === null && (
            <DiffPanel answer={diff.data} onFilter={filter} />
          )}
          <Commands asked={asked} />
        </div>
      </div>
    </Shell>
  )
}

function titleOf({ table = '', calc = ['count'], by = [], view, heat }: Asked): string {
  if (view === 'heat') return `${heat ?? ''} of ${table}`
  return `${calc.join(', ')} of ${table}${by.length > 0 ? ` by ${by.join(', ')}` : ''}`
}

function notGroup(by: readonly string[], key: Readonly<Record<string, PlainValue>>): string {
  const conditions = groupConditions(by, key)
  const [column] = by
  return conditions.length === 1 && column !== undefined
    ? conditionOf(column, key[column] ?? null, true)
    : `NOT (${conditions.join(' AND ')})`
}

function focusOn(id: string): void {
  document.querySelector<HTMLElement>(`#${id}`)?.focus()
}

/** The same in a terminal, and how to keep it. */
function Commands({ asked }: { asked: Asked }): JSX.Element {
  if (asked.table === undefined) return <></>
  const panel = commandOf(asked)
  const view = `${asked.view === undefined ? '' : ` --view ${asked.view}`}${asked.heat === undefined ? '' : ` --heat ${asked.heat}`}`
  return (
    <details class="twin">
      <summary>In a terminal</summary>
      <pre class="value" tabIndex={0}>
        {panel}
        {'\n'}
        {panel.replace('muster scuba panel ', 'muster scuba saved put NAME --table ')}
        {view}
      </pre>
    </details>
  )
}
