import { Box, Text, useInput, useWindowSize } from 'ink'
import { useEffect, useRef, useState } from 'react'
import type { ReactElement } from 'react'
import type { TopFrame, TopNews } from '../../cli/delos/top.ts'
import { SORTS, type Sort } from '../../cli/delos/top-sort.ts'
import { topLines } from '../../cli/render/delos-top.ts'
import type { View } from '../../cli/terminal.ts'

export interface TopSource {
  /** Calls back with each picture, or that there is none; gives the function that ends it. */
  follow: (onNews: (news: TopNews) => void) => () => void
}

export interface TopScreenProps {
  source: TopSource
  hasColor: boolean
  sort: Sort
  onQuit: () => void
  /** for tests; else the terminal's */
  size?: { rows: number; columns: number }
}

const WIDE_COLUMNS = 110

const HELP = [
  'app/s      changes that were committed, per second',
  'batch      changes that shared one write and one fdatasync',
  'commit     ms from asking until a majority had it on disk and it was applied',
  'sync       ms of a write of the log with its fdatasync',
  'lag        positions behind the most advanced server',
  'loop       ms that a turn of the event loop was late, 99th percentile',
  'read/s     ranges asked of this server',
  'clock      ms ahead of this machine; "<" is as near as can be told',
  '',
  '★ leads   ● votes   ○ learns   ✖ is not reached',
  '',
  's sort   p pause   ? help   q quit',
]

/** A store at a glance. A refresh changes the numbers, never the order by which they stand or what a key means. */
export function TopScreen({ source, hasColor, sort, onQuit, size }: TopScreenProps): ReactElement {
  const terminal = useWindowSize()
  const { rows, columns } = size ?? terminal
  const [frame, setFrame] = useState<TopFrame | null>(null)
  const [trouble, setTrouble] = useState('')
  const [by, setBy] = useState<Sort>(sort)
  const [isHelp, setIsHelp] = useState(false)
  const [isPaused, setIsPaused] = useState(false)
  const paused = useRef(false)
  paused.current = isPaused

  useEffect(
    () =>
      source.follow((news) => {
        if (paused.current) return
        if ('trouble' in news) setTrouble(news.trouble)
        else {
          setTrouble('')
          setFrame(news.frame)
        }
      }),
    [source],
  )

  useInput((input, key) => {
    if (key.escape) return setIsHelp(false)
    if (input === 'q') return isHelp ? setIsHelp(false) : onQuit()
    if (input === '?') return setIsHelp(!isHelp)
    if (input === 'p') return setIsPaused(!isPaused)
    if (input === 's') setBy(SORTS[(SORTS.indexOf(by) + 1) % SORTS.length] ?? 'name')
  })

  if (frame === null) return <Text dimColor>{trouble === '' ? 'muster delos top: looking…' : trouble}</Text>
  const view: View = { width: columns, hasColor, isTty: true, isWide: columns >= WIDE_COLUMNS }
  const lines = isHelp ? HELP : topLines(frame, by, view, rows - 2)
  return (
    <Box flexDirection="column" width={columns} height={rows - 1}>
      {lines.slice(0, rows - 3).map((line, i) => (
        <Text key={i} wrap="truncate">
          {line === '' ? ' ' : line}
        </Text>
      ))}
      <Box flexGrow={1} />
      <Text wrap="truncate" color="yellow">
        {trouble === '' ? ' ' : `▲ no server answers, the picture is of ${clockText(frame.at)}: ${trouble}`}
      </Text>
      <Text wrap="truncate" dimColor>
        {`${clockText(frame.at)}${isPaused ? '  PAUSED' : ''}  by ${by}   s sort  p ${isPaused ? 'go on' : 'pause'}  ? help  q quit`}
      </Text>
    </Box>
  )
}

const clockText = (ms: number): string => `${new Date(ms).toISOString().slice(11, 19)}Z`
