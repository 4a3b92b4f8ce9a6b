import { Box, Text, useApp, useWindowSize, type Key } from 'ink'
import { useCallback, useEffect, useReducer, useRef, useState } from 'react'
import type { ReactElement } from 'react'
import type { FleetNews } from '../../cli/follow/fleet.ts'
import { ageText, capacityLines, concernLines, HEAT_LEGEND, heatLines, totalLines } from '../../cli/render/tw-top.ts'
import { paint } from '../../cli/render/style.ts'
import type { View } from '../../cli/terminal.ts'
import type { FleetSummary } from '../../core/tw/queries.ts'
import { windowTop } from '../list-window.ts'
import { useKeys } from '../use-keys.ts'
import { HELP } from './keys.ts'
import { MAIN_LISTS, mainList, openedList, type List, type MainList, type Opened, type Target } from './panes.ts'

/** What the screen needs of the world; the command gives the client's, a test gives its own. */
export interface TopSource {
  context: string
  /** Calls back with each picture, or that there is none; gives the function that ends it. */
  follow: (onNews: (news: FleetNews) => void) => () => void
  /** From now on only jobs with this in their name, in a picture at once. */
  filter: (text: string) => void
  open: (target: Target) => Promise<Opened>
  /** The text of `tw explain` of a job or task. */
  explain: (target: string) => Promise<string>
  /** Calls back with each line; gives the function that ends it. */
  logs: (target: string, onLine: (line: string) => void) => () => void
  /** A shell beside a task, on this terminal, which is free meanwhile; gives its exit code. */
  shell: (task: string) => Promise<number>
  /** this machine's clock, ms */
  clock: () => number
}

export interface TopScreenProps {
  source: TopSource
  hasColor: boolean
  onQuit: () => void
  /** for tests; else the terminal's */
  size?: { rows: number; columns: number }
}

type Level =
  | { kind: 'main'; list: MainList }
  | { kind: 'opened'; target: Target; opened: Opened | null }
  | { kind: 'lines'; title: string; lines: string[]; isTail: boolean }

/** Where the cursor of a level stands: on a row by its key, so that a refresh never moves it. */
interface Place {
  key: string | null
  index: number
  top: number
}

const WIDE_COLUMNS = 110
const LOG_LINES_MAX = 500
const START: Place = { key: null, index: 0, top: 0 }

/** The fleet at a glance, and a way into it. No key here changes anything of it. */
export function TwTopScreen({ source, hasColor, onQuit, size }: TopScreenProps): ReactElement {
  const terminal = useWindowSize()
  const { rows, columns } = size ?? terminal
  const { suspendTerminal } = useApp()
  const [news, setNews] = useState<{ summary: FleetSummary; at: number } | null>(null)
  const [trouble, setTrouble] = useState('')
  const [stack, setStack] = useState<Level[]>([{ kind: 'main', list: 'jobs' }])
  const [places, setPlaces] = useState<Place[]>([START])
  const [isHelp, setIsHelp] = useState(false)
  const [notice, setNotice] = useState('')
  const [prompt, setPrompt] = useState<{ sign: '/' | ':'; text: string } | null>(null)
  const [filter, setFilter] = useState('')
  const [, tick] = useReducer((n: number) => n + 1, 0)
  const endLogs = useRef<(() => void) | null>(null)
  const level = stack.at(-1) ?? { kind: 'main', list: 'jobs' }
  const place = places.at(-1) ?? START
  const opened = useRef<Target | null>(null)
  opened.current = level.kind === 'opened' ? level.target : null

  const fill = useCallback(
    (target: Target): void => {
      source.open(target).then(
        (it) =>
          setStack((now) => {
            const last = now.at(-1)
            return last?.kind === 'opened' && last.target === target ? [...now.slice(0, -1), { ...last, opened: it }] : now
          }),
        (error: Error) => setNotice(`✖ ${error.message}`),
      )
    },
    [source],
  )

  useEffect(() => {
    const unfollow = source.follow((it) => {
      if ('trouble' in it) return setTrouble(it.trouble)
      setTrouble('')
      setNews({ summary: it.summary, at: source.clock() })
      if (opened.current !== null) fill(opened.current)
    })
    const second = setInterval(tick, 1000)
    return () => {
      unfollow()
      clearInterval(second)
      endLogs.current?.()
    }
  }, [source, fill])

  const push = (next: Level): void => {
    setNotice('')
    setStack([...stack, next])
    setPlaces([...places, START])
  }
  const back = (): void => {
    endLogs.current?.()
    endLogs.current = null
    setNotice('')
    if (stack.length === 1) return
    setStack(stack.slice(0, -1))
    setPlaces(places.slice(0, -1))
  }
  const put = (next: Place): void => setPlaces([...places.slice(0, -1), next])
  const setWish = (text: string): void => {
    setFilter(text)
    source.filter(text)
  }

  const view: View = { width: columns, hasColor, isTty: true, isWide: columns >= WIDE_COLUMNS }
  const list: List | null =
    news === null || level.kind === 'lines'
      ? null
      : level.kind === 'main'
        ? mainList(view, news.summary, level.list, filter)
        : level.opened === null
          ? null
          : openedList(view, level.opened, filter)
  const text =
    level.kind === 'lines' ? level.lines : level.kind === 'opened' && level.opened?.kind === 'text' ? level.opened.text.split('\n') : null

  // The map and the concerns take their share of a large terminal, and one line each of the smallest.
  const shareOf = (part: number): number => Math.max(1, Math.min(Math.floor(rows / part), rows - 11))
  const head = news === null || stack.length > 1 ? [] : summaryLines(view, news.summary, columns, shareOf(5))
  const concerns = news === null || stack.length > 1 ? [] : concernLines(view, news.summary, shareOf(6))
  // Title, list head, notice and hints take four lines; a terminal keeps its last one free.
  const height = Math.max(1, rows - 1 - 4 - head.length - concerns.length)
  const found = list === null ? -1 : list.rows.findIndex(({ key }) => key === place.key)
  const cursor = list === null ? 0 : Math.max(0, Math.min(found >= 0 ? found : place.index, list.rows.length - 1))
  const length = list?.rows.length ?? text?.length ?? 0
  const top =
    list === null
      ? level.kind === 'lines' && level.isTail && place.index === 0
        ? Math.max(0, length - height)
        : Math.max(0, Math.min(place.top, length - height))
      : windowTop(place.top, cursor, height, length)

  const move = (by: number): void => {
    if (list === null) return put({ key: null, index: 1, top: Math.max(0, Math.min(top + by, length - height)) })
    const index = Math.max(0, Math.min(cursor + by, list.rows.length - 1))
    put({ key: list.rows[index]?.key ?? null, index, top: windowTop(top, index, height, length) })
  }
  /** The job or task that `e`, `l` and `s` are about: the row's, else what was opened. */
  const subject = (): { kind: 'job' | 'task'; name: string; id: string } | null => {
    const target = list?.rows[cursor]?.target ?? (level.kind === 'opened' ? level.target : null)
    if (target?.kind === 'job') return { kind: 'job', name: target.job, id: target.job }
    return target?.kind === 'task' ? { kind: 'task', name: target.task, id: String(target.id) } : null
  }
  const command = (words: string): void => {
    const wanted = MAIN_LISTS.find((name) => name === words.trim())
    if (wanted !== undefined) {
      setStack([{ kind: 'main', list: wanted }])
      setPlaces([START])
    } else if (words.trim() === 'q') onQuit()
    else setNotice(`there is no :${words}; there are ${MAIN_LISTS.map((name) => `:${name}`).join(' ')} :q`)
  }

  const openShell = async (task: string, id: string): Promise<void> => {
    try {
      let code = 0
      await suspendTerminal(async () => {
        code = await source.shell(id)
      })
      setNotice(`the shell beside ${task} ended${code === 0 ? '' : ` with ${code}`}`)
    } catch (error) {
      setNotice(`✖ ${(error as Error).message}`)
    }
  }

  const press = (input: string, key: Partial<Key>): void => {
    if (prompt !== null) {
      if (key.escape) {
        if (prompt.sign === '/') setWish('')
        return setPrompt(null)
      }
      if (key.return) {
        if (prompt.sign === ':') command(prompt.text)
        return setPrompt(null)
      }
      const next = key.backspace || key.delete ? prompt.text.slice(0, -1) : key.ctrl || key.meta ? prompt.text : prompt.text + input
      setPrompt({ ...prompt, text: next })
      if (prompt.sign === '/') setWish(next)
      return
    }
    if (isHelp) return setIsHelp(!(key.escape || input === 'q' || input === '?'))
    if (input === 'q') return onQuit()
    if (input === '?') return setIsHelp(true)
    if (input === '/' || input === ':') return setPrompt({ sign: input, text: '' })
    if (key.escape || key.leftArrow || input === 'h') return stack.length === 1 && filter !== '' ? setWish('') : back()
    if (key.downArrow || input === 'j') return move(1)
    if (key.upArrow || input === 'k') return move(-1)
    if (key.pageDown) return move(height)
    if (key.pageUp) return move(-height)
    if (input === 'g') return move(-length)
    if (input === 'G') return move(length)
    if (key.tab && level.kind === 'main') {
      const next = MAIN_LISTS[(MAIN_LISTS.indexOf(level.list) + 1) % MAIN_LISTS.length] ?? 'jobs'
      setStack([{ kind: 'main', list: next }])
      return setPlaces([START])
    }
    if (key.return || key.rightArrow) {
      const target = list?.rows[cursor]?.target
      if (!target) return
      push({ kind: 'opened', target, opened: null })
      return fill(target)
    }
    if (input !== 'e' && input !== 'l' && input !== 's') return
    const about = subject()
    if (input === 's') {
      if (about?.kind !== 'task') return setNotice('shell: of a task')
      return void openShell(about.name, about.id)
    }
    if (about === null) return setNotice(`${input === 'e' ? 'explain' : 'logs'}: of a job or a task`)
    if (input === 'e') {
      setNotice(`explain ${about.name} …`)
      source.explain(about.id).then(
        (said) => push({ kind: 'lines', title: `explain ${about.name}`, lines: said.split('\n'), isTail: false }),
        (error: Error) => setNotice(`✖ ${error.message}`),
      )
      return
    }
    push({ kind: 'lines', title: `logs ${about.name}`, lines: [], isTail: true })
    endLogs.current = source.logs(about.name, (line) =>
      setStack((now) => {
        const last = now.at(-1)
        return last?.kind === 'lines' && last.isTail
          ? [...now.slice(0, -1), { ...last, lines: [...last.lines, line].slice(-LOG_LINES_MAX) }]
          : now
      }),
    )
  }

  useKeys(press)

  const isFilteredOut = filter !== '' && list?.rows.length === 0
  if (news === null) return <Text dimColor>{trouble === '' ? 'muster tw top: looking…' : trouble}</Text>
  const shown = isHelp
    ? [...HELP, HEAT_LEGEND]
    : list !== null
      ? list.rows.slice(top, top + height).map(({ line }) => line)
      : (text ?? ['looking…']).slice(top, top + height)
  return (
    <Box flexDirection="column" width={columns} height={rows - 1}>
      <Text wrap="truncate">
        {`${paint(view, 'bold', 'muster tw top')}  ${source.context}  ${ageOf(view, trouble, source.clock() - news.at)}${titleOf(level)}${filter === '' ? '' : `  /${filter}`}`}
      </Text>
      {(isHelp ? [] : head).map((line, i) => (
        <Line key={i} text={line} />
      ))}
      <Text wrap="truncate" bold>
        {isHelp
          ? 'keys'
          : list === null
            ? ' '
            : `  ${isFilteredOut ? `Nothing here has "${filter}" in its name; esc ends the filter.` : list.head}`}
      </Text>
      {shown.map((line, i) => (
        <Text key={i} wrap="truncate" inverse={!isHelp && list !== null && top + i === cursor}>
          {list !== null && !isHelp ? `${top + i === cursor ? '›' : ' '} ${line}` : line === '' ? ' ' : line}
        </Text>
      ))}
      <Box flexGrow={1} />
      {(isHelp ? [] : concerns).map((line, i) => (
        <Line key={i} text={line} />
      ))}
      <Text wrap="truncate">{prompt === null ? trouble || notice || ' ' : `${prompt.sign}${prompt.text}▏`}</Text>
      <Text wrap="truncate" dimColor>
        {hints(level, stack.length)}
      </Text>
    </Box>
  )
}

function Line({ text }: { text: string }): ReactElement {
  return <Text wrap="truncate">{text === '' ? ' ' : text}</Text>
}

function summaryLines(view: View, summary: FleetSummary, columns: number, heatRows: number): string[] {
  return [...totalLines(view, summary), ...capacityLines(view, summary.capacity), ...heatLines(view, summary, columns, heatRows)]
}

/** Without news nothing happened: only a picture that could not be made anew is old. */
function ageOf(view: View, trouble: string, ageMs: number): string {
  return trouble === '' ? '● live' : ageText(view, ageMs)
}

function titleOf(level: Level): string {
  if (level.kind === 'main') return ''
  if (level.kind === 'lines') return `  ${level.title}`
  if (level.opened !== null) return `  ${level.opened.title}`
  const { target } = level
  return `  ${target.kind === 'rack' ? `${target.region}/${target.rack}` : target.kind === 'job' ? target.job : target.kind === 'node' ? target.node : target.task}`
}

function hints(level: Level, depth: number): string {
  const move = level.kind === 'lines' ? 'jk scroll' : 'jk  enter in'
  return [move, ...(depth > 1 ? ['esc back'] : ['tab list']), 'e explain', 'l logs', 's shell', '/ filter', '? help', 'q quit'].join('  ')
}
