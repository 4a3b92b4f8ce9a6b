import { Box, Text, useWindowSize, type Key } from 'ink'
import { useCallback, useEffect, useState } from 'react'
import type { ReactElement } from 'react'
import { paint } from '../../cli/render/style.ts'
import { truncate } from '../../cli/render/text.ts'
import type { View } from '../../cli/terminal.ts'
import { conditionOf, withCondition } from '../../core/scuba/explore/conditions.ts'
import { diffRequest, rowsRequest, type Stretch } from '../../core/scuba/explore/explored.ts'
import { panelRequest, rangeOf, shifted, stepOf, zoomed } from '../../core/scuba/explore/range.ts'
import { commandOf } from '../../core/scuba/saved/command.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type {
  DiffAnswer,
  DiffRequest,
  PanelAnswer,
  PanelGroup,
  PanelRequest,
  QueryAnswer,
  QueryRequest,
  TableInfo,
} from '../../core/scuba/wire-types.ts'
import { windowTop } from '../list-window.ts'
import { useKeys } from '../use-keys.ts'
import { HELP } from './keys.ts'
import { groupOnly, nextComparison, PANES, rangeText, ROWS_SHOWN, TABS, toggled, withList, type Pane, type Tab } from './state.ts'
import { chartLines, columnLines, diffLines, groupLines, markText, questionText, rowLines, standText, stepBeside } from './view.ts'

/** What the screen needs of the world; the command gives the client's, a test gives its own. */
export interface ExploreSource {
  context: string
  tables: () => Promise<TableInfo[]>
  panel: (request: PanelRequest) => Promise<PanelAnswer>
  query: (request: QueryRequest) => Promise<QueryAnswer>
  diff: (request: DiffRequest) => Promise<DiffAnswer>
  /** this machine's clock, ms */
  clock: () => number
}

export interface ExploreScreenProps {
  source: ExploreSource
  asked: Asked
  hasColor: boolean
  onQuit: () => void
  /** for tests; else the terminal's */
  size?: { rows: number; columns: number }
}

type Prompt = { sign: '/' | ':' | 'c' | 't' | 's'; text: string }
const PROMPTS: Record<Prompt['sign'], string> = { '/': 'where ', ':': ':', c: 'calculate ', t: 'range ', s: 'SQL ' }
const LIST_COLUMNS = 28
const POINTS = 120
const LIVE_MS_MIN = 2000
const LIVE_MS_MAX = 30_000

/** Any question about a table, by keys. Nothing here changes anything. */
export function ScubaExploreScreen({ source, asked: first, hasColor, onQuit, size }: ExploreScreenProps): ReactElement {
  const terminal = useWindowSize()
  const { rows, columns } = size ?? terminal
  const view: View = { width: columns, hasColor, isTty: true, isWide: false }
  const [asked, setAsked] = useState(first)
  const [tables, setTables] = useState<TableInfo[]>([])
  const [panel, setPanel] = useState<PanelAnswer | null>(null)
  const [trouble, setTrouble] = useState('')
  const [isHeld, setHeld] = useState(false)
  const [pane, setPane] = useState<Pane>('columns')
  const [tab, setTab] = useState<Tab>('groups')
  const [at, setAt] = useState({ columns: 0, bottom: 0 })
  const [opened, setOpened] = useState<{ column: string; values: PanelGroup[] | null } | null>(null)
  const [step, setStep] = useState<number | null>(null)
  const [markFrom, setMarkFrom] = useState<number | null>(null)
  const [mark, setMark] = useState<Stretch | null>(null)
  const [only, setOnly] = useState<string[]>([])
  const [below, setBelow] = useState<{ kind: 'rows'; answer: QueryAnswer } | { kind: 'diff'; answer: DiffAnswer } | null>(null)
  const [notice, setNotice] = useState('')
  const [prompt, setPrompt] = useState<Prompt | null>(null)
  const [isHelp, setIsHelp] = useState(false)
  const complain = useCallback((error: Error) => setNotice(`✖ ${error.message}`), [])

  useEffect(() => {
    source.tables().then((all) => {
      setTables(all)
      setAsked((now) => {
        if (now.table !== undefined) return now
        const best = all.find(({ name }) => name === 'requests') ?? all.toSorted((a, b) => b.rows - a.rows)[0]
        return best === undefined ? now : { ...now, table: best.name }
      })
    }, complain)
  }, [source, complain])

  const isLive = rangeOf(asked, source.clock()).isLive && !isHeld
  const question = JSON.stringify(asked)
  useEffect(() => {
    if (asked.table === undefined) return
    let isOver = false
    let timer: NodeJS.Timeout | null = null
    const look = async (): Promise<void> => {
      const now = source.clock()
      try {
        const answer = await source.panel(panelRequest(asked, now, POINTS))
        if (isOver) return
        setPanel(answer)
        setTrouble('')
      } catch (error) {
        if (isOver) return
        setTrouble((error as Error).message)
      }
      const { sinceMs, untilMs } = rangeOf(asked, now)
      const waitMs = Math.min(LIVE_MS_MAX, Math.max(LIVE_MS_MIN, stepOf(untilMs - sinceMs, asked.step, POINTS) / 2))
      if (isLive) timer = setTimeout(() => void look(), waitMs)
    }
    void look()
    return () => {
      isOver = true
      if (timer !== null) clearTimeout(timer)
    }
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the question is compared by what it says
  }, [source, question, isLive])

  const ask = (next: Asked): void => {
    setNotice('')
    setMark(null)
    setMarkFrom(null)
    setOnly([])
    setBelow(null)
    setTab('groups')
    setAsked(next)
    if (next.table !== asked.table) {
      setPanel(null)
      setOpened(null)
      setStep(null)
      setAt({ columns: 0, bottom: 0 })
    }
  }
  const showRows = (part: { mark: Stretch | null; only: string[] }): void => {
    setTab('rows')
    setAt({ ...at, bottom: 0 })
    setBelow(null)
    source.query(rowsRequest({ asked, ...part }, source.clock(), ROWS_SHOWN)).then((answer) => setBelow({ kind: 'rows', answer }), complain)
  }
  const showDiff = (): void => {
    const request = diffRequest({ asked, mark, only }, source.clock())
    if (request === null) return setNotice('mark a stretch in the chart (tab, ← →, m … m) or choose a group first')
    setTab('diff')
    setAt({ ...at, bottom: 0 })
    setBelow(null)
    source.diff(request).then((answer) => setBelow({ kind: 'diff', answer }), complain)
  }
  const open = (column: string): void => {
    if (opened?.column === column) return setOpened(null)
    setOpened({ column, values: null })
    const { by: _by, step: _step, compare: _compare, calc: _calc, view: _view, ...rest } = asked
    const request = panelRequest({ ...rest, calc: ['count'], by: [column], view: 'table', top: 10, other: true }, source.clock())
    source.panel(request).then(
      ({ groups }) => setOpened((now) => (now?.column === column ? { column, values: groups } : now)),
      (error: Error) => {
        setOpened(null)
        complain(error)
      },
    )
  }

  const info = tables.find(({ name }) => name === asked.table)
  const list = columnLines(info?.columns ?? {}, asked, opened)
  const onColumn = list[Math.min(at.columns, list.length - 1)]
  const groups = panel?.groups ?? []
  const chosen = tab === 'groups' ? Math.min(at.bottom, Math.max(0, groups.length - 1)) : 0
  const content =
    tab === 'groups'
      ? panel === null
        ? ['asking…']
        : groupLines({ ...view, width: columns - LIST_COLUMNS - 3 }, panel)
      : below === null
        ? [tab === 'rows' || mark !== null || only.length > 0 ? 'asking…' : 'Mark a stretch of the chart or choose a group first.']
        : below.kind === 'rows'
          ? rowLines(view, below.answer)
          : diffLines({ ...view, width: columns - LIST_COLUMNS - 3 }, below.answer)
  const body = Math.max(6, rows - 5)
  const chartHeight = Math.max(5, Math.min(14, Math.floor(body * 0.5)))
  const bottomHeight = Math.max(1, body - chartHeight - 2)
  const listTop = windowTop(0, Math.min(at.columns, list.length - 1), body, list.length)
  const bottomTop = windowTop(0, Math.min(at.bottom, Math.max(0, content.length - 2)), bottomHeight, content.length - 1)

  const runPrompt = ({ sign, text }: Prompt): void => {
    const wanted = text.trim()
    if (sign === ':') {
      if (wanted === 'q') return onQuit()
      if (tables.some(({ name }) => name === wanted))
        return ask({ table: wanted, ...(asked.since === undefined ? {} : { since: asked.since }) })
      return setNotice(`there is no table ${wanted}; there are ${tables.map(({ name }) => name).join(' ')}`)
    }
    if (wanted === '') return
    if (sign === '/') return ask(withList(asked, 'where', withCondition(asked.where, wanted)))
    if (sign === 'c') return ask(toggled({ ...asked, calc: asked.calc ?? ['count'] }, 'calc', wanted))
    if (sign === 't') {
      const range = rangeText(wanted)
      if (range === null) return setNotice('a range is 15m or 6h, or two times with a blank between them')
      const { since: _since, until: _until, step: _step, ...rest } = asked
      return ask({ ...rest, ...range })
    }
    setTab('rows')
    setBelow(null)
    setAt({ ...at, bottom: 0 })
    const { sinceMs, untilMs } = rangeOf(asked, source.clock())
    source.query({ sql: wanted, sinceMs, untilMs }).then((answer) => setBelow({ kind: 'rows', answer }), complain)
  }

  const enter = (isNot: boolean): void => {
    if (pane === 'columns') {
      if (onColumn === undefined) return
      if (onColumn.value === undefined) return isNot ? undefined : open(onColumn.column)
      return ask(withList(asked, 'where', withCondition(asked.where, conditionOf(onColumn.column, onColumn.value, isNot))))
    }
    if (pane === 'chart') {
      if (panel?.stepMs === null || panel === null || step === null) return setNotice('← → choose a step first')
      const stretch = mark ?? { fromMs: step, toMs: step + panel.stepMs }
      setMark(stretch)
      return showRows({ mark: stretch, only })
    }
    const group = tab === 'groups' ? groups[chosen] : undefined
    if (group === undefined || group.isOther) return
    const conditions = groupOnly(asked.by ?? [], group)
    if (isNot)
      return conditions.length === 0
        ? undefined
        : ask(withList(asked, 'where', withCondition(asked.where, `NOT (${conditions.join(' AND ')})`)))
    setOnly(conditions)
    showRows({ mark, only: conditions })
  }

  const move = (by: number): void => {
    if (pane === 'chart') return void (panel !== null && setStep(stepBeside(panel, step, by)))
    if (pane === 'columns')
      return setAt({ ...at, columns: Math.max(0, Math.min(list.length - 1, Math.min(at.columns, list.length - 1) + by)) })
    setAt({ ...at, bottom: Math.max(0, Math.min(content.length - 2, at.bottom + by)) })
  }

  const press = (input: string, key: Partial<Key>): void => {
    if (prompt !== null) {
      if (key.escape) return setPrompt(null)
      if (key.return) {
        setPrompt(null)
        return runPrompt(prompt)
      }
      const next =
        key.backspace || key.delete
          ? prompt.text.slice(0, -1)
          : key.ctrl || key.meta
            ? prompt.text
            : prompt.text + input.replaceAll(/\p{Cc}+/gu, ' ')
      return setPrompt({ ...prompt, text: next })
    }
    if (isHelp) return setIsHelp(!(key.escape || input === 'q' || input === '?'))
    setNotice('')
    if (key.tab) return setPane(PANES[(PANES.indexOf(pane) + (key.shift ? PANES.length - 1 : 1)) % PANES.length] ?? 'columns')
    if (key.return) return enter(false)
    if (key.escape) {
      if (mark !== null || markFrom !== null || only.length > 0 || tab !== 'groups') {
        setMark(null)
        setMarkFrom(null)
        setOnly([])
        return setTab('groups')
      }
      return setOpened(null)
    }
    if (key.leftArrow || key.rightArrow) {
      if (pane !== 'chart') return setPane(key.leftArrow ? 'columns' : 'bottom')
      return move(key.leftArrow ? -1 : 1)
    }
    if (key.downArrow || input === 'j') return pane === 'chart' ? undefined : move(1)
    if (key.upArrow || input === 'k') return pane === 'chart' ? undefined : move(-1)
    if (key.pageDown) return move(bottomHeight)
    if (key.pageUp) return move(-bottomHeight)
    switch (input) {
      case 'q':
        return onQuit()
      case '?':
        return setIsHelp(true)
      case '/':
      case ':':
      case 't':
      case 's':
        return setPrompt({ sign: input, text: input === 's' ? `select * from ${asked.table ?? ''} ` : '' })
      case 'c':
        return setPrompt({ sign: 'c', text: onColumn !== undefined && /BIGINT|DOUBLE/.test(onColumn.type) ? `p99:${onColumn.column}` : '' })
      case 'b':
        return onColumn === undefined ? undefined : ask(toggled(asked, 'by', onColumn.column))
      case '!':
        return enter(true)
      case 'x':
        return ask(withList(asked, 'where', (asked.where ?? []).slice(0, -1)))
      case '[':
      case ']':
        return ask(shifted(asked, input === '[' ? -1 : 1, source.clock()))
      case 'C':
        return ask(nextComparison(asked))
      case 'm': {
        if (panel === null || panel.stepMs === null || step === null) return setNotice('tab to the chart, ← → to a step, then m')
        if (markFrom === null) {
          setMark({ fromMs: step, toMs: step + panel.stepMs })
          return setMarkFrom(step)
        }
        setMark({ fromMs: Math.min(markFrom, step), toMs: Math.max(markFrom, step) + panel.stepMs })
        return setMarkFrom(null)
      }
      case 'z':
        return mark === null ? setNotice('nothing is marked') : ask(zoomed(asked, mark.fromMs, mark.toMs))
      case 'D':
      case '3':
        return showDiff()
      case '2':
        return showRows({ mark, only })
      case '1':
        return setTab('groups')
      case 'p':
        return setHeld(!isHeld)
      case 'y':
        return setNotice(commandOf(asked))
      case 'g':
        return move(-Infinity)
      case 'G':
        return move(Infinity)
    }
  }

  useKeys(press, prompt !== null)

  const wide = columns - LIST_COLUMNS - 3
  const chart =
    panel === null ? [] : chartLines(panel, chosen, { width: wide, height: chartHeight, cursor: pane === 'chart' ? step : null, mark })
  const right = [
    ...Array.from({ length: chartHeight }, (_, i) => chart[i] ?? ''),
    `${TABS.map((name, i) => (name === tab ? paint(view, 'bold', `[${i + 1} ${name}]`) : ` ${i + 1} ${name} `)).join('')}${mark === null ? '' : `  ${markText(mark)}`}${only.length > 0 ? `  ${only.join(' and ')}` : ''}`,
    `  ${content[0] ?? ''}`,
    ...content
      .slice(1)
      .slice(bottomTop, bottomTop + bottomHeight)
      .map((line, i) => `${pane === 'bottom' && bottomTop + i === at.bottom ? '›' : ' '} ${line}`),
  ]
  const lines = isHelp
    ? HELP
    : Array.from({ length: body }, (_, i) => {
        const item = list[listTop + i]
        const isHere = item !== undefined && listTop + i === Math.min(at.columns, list.length - 1)
        const left = truncate(`${isHere ? '›' : ' '}${item?.text ?? ''}`, LIST_COLUMNS)
        const padded = left + ' '.repeat(Math.max(0, LIST_COLUMNS - [...left].length))
        return `${isHere && pane === 'columns' ? paint(view, 'bold', padded) : padded} ${paint(view, 'dim', '│')} ${truncate(right[i] ?? '', wide)}`
      })
  return (
    <Box flexDirection="column" width={columns} height={rows - 1}>
      <Text wrap="truncate">{`${paint(view, 'bold', 'muster scuba explore')}  ${source.context}  ${standText(view, panel, trouble, isHeld)}`}</Text>
      <Text wrap="truncate">
        {asked.table === undefined
          ? 'No tables yet; a table appears with its first row: `muster scuba send TABLE FILE`.'
          : questionText(asked)}
      </Text>
      {lines.map((line, i) => (
        <Text key={i} wrap="truncate">
          {line === '' ? ' ' : line}
        </Text>
      ))}
      <Box flexGrow={1} />
      <Text wrap="truncate">{prompt === null ? notice || ' ' : `${PROMPTS[prompt.sign]}${prompt.text}▏`}</Text>
      <Text wrap="truncate" dimColor>
        {'tab pane  enter in  b by  c calc  / where  t range  C compare  m mark  D differs  s SQL  y command  ? help  q quit'}
      </Text>
    </Box>
  )
}
