import { Box, Text, useInput, useWindowSize } from 'ink'
import { useEffect, useState } from 'react'
import type { ReactElement } from 'react'
import { eText, evidenceBar } from '../../cli/render/deploy-evidence.ts'
import {
  breakerText,
  eventText,
  leftText,
  metricLines,
  sampleText,
  splitBar,
  stepText,
  type MetricLine,
} from '../../cli/render/deploy-watch.ts'
import { stateText } from '../../cli/render/deploy.ts'
import { paint } from '../../cli/render/style.ts'
import type { View } from '../../cli/terminal.ts'
import type { WatchView } from '../../core/deploy/queries.ts'
import { formatDuration, formatShare } from '../../core/kernel/units.ts'
import { ACTIONS, actionOf, type Action } from './actions.ts'

/** What the screen needs of the world; the command gives the client's, a test its own. */
export interface WatchSource {
  /** Calls back with each new view; gives the function that ends it. */
  follow: (onView: (view: WatchView) => void, onError: (message: string) => void) => () => void
  /** Runs a steering operation; resolves with what to say, rejects with the refusal. */
  act: (action: Action, view: WatchView) => Promise<string>
  /** the text of `deploy why` */
  why: (rollout: string) => Promise<string>
}

export interface ScreenProps {
  source: WatchSource
  isReadOnly: boolean
  hasColor: boolean
  onQuit: () => void
  /** for tests; else the terminal's */
  size?: { rows: number; columns: number }
}

type Panel = { kind: 'main' } | { kind: 'help' } | { kind: 'confirm'; action: Action } | { kind: 'why'; lines: string[]; top: number }

const LADDER_WIDTH = 26
/** rows that are always there: header, because, bars, metrics, hints */
const FIXED_ROWS = 14

/** One rollout on one screen. A refresh changes data, never the panel or what a key means. */
export function DeployWatchScreen({ source, isReadOnly, hasColor, onQuit, size }: ScreenProps): ReactElement {
  const terminal = useWindowSize()
  const { rows, columns } = size ?? terminal
  const [data, setData] = useState<WatchView | null>(null)
  const [panel, setPanel] = useState<Panel>({ kind: 'main' })
  const [notice, setNotice] = useState('')
  useEffect(() => source.follow(setData, setNotice), [source])

  const run = (action: Action): void => {
    if (data === null) return
    setPanel({ kind: 'main' })
    setNotice(`${action.verb} …`)
    source.act(action, data).then(setNotice, (error: Error) => setNotice(`✖ ${error.message}`))
  }

  useInput((input, key) => {
    if (panel.kind === 'confirm') {
      if (input === 'y') run(panel.action)
      else if (input === 'n' || key.escape || input === 'q') setPanel({ kind: 'main' })
      return
    }
    if (key.escape) return setPanel({ kind: 'main' })
    if (input === 'q') return panel.kind === 'main' ? onQuit() : setPanel({ kind: 'main' })
    if (input === '?') return setPanel({ kind: 'help' })
    if (panel.kind === 'why' && (key.downArrow || input === 'j'))
      return setPanel({ ...panel, top: Math.min(panel.top + 1, Math.max(0, panel.lines.length - rows + 3)) })
    if (panel.kind === 'why' && (key.upArrow || input === 'k')) return setPanel({ ...panel, top: Math.max(0, panel.top - 1) })
    if (input === 'w' && data !== null) {
      source.why(data.rollout.rollout).then(
        (text) => setPanel({ kind: 'why', lines: text.split('\n'), top: 0 }),
        (error: Error) => setNotice(`✖ ${error.message}`),
      )
      return
    }
    const action = actionOf(input, data)
    if (action === null || data === null) return
    if (isReadOnly) return setNotice('read-only: no key changes anything here')
    if (!data.rollout.legal.includes(action.verb))
      return setNotice(
        `${action.verb} is not possible while ${data.rollout.state}; possible: ${data.rollout.legal.join(', ') || 'nothing'}`,
      )
    setPanel({ kind: 'confirm', action })
  })

  const view: View = { width: columns, hasColor, isTty: true, isWide: columns > 100 }
  if (data === null) return <Text>{notice === '' ? 'Waiting for the rollout …' : notice}</Text>
  return (
    <Box flexDirection="column" width={columns} height={rows - 1}>
      <Header data={data} view={view} />
      {panel.kind === 'why' ? (
        panel.lines.slice(panel.top, panel.top + rows - 3).map((line, i) => (
          <Text key={i} wrap="truncate">
            {line === '' ? ' ' : line}
          </Text>
        ))
      ) : panel.kind === 'help' ? (
        <Help />
      ) : (
        <Main data={data} view={view} rows={rows} columns={columns} />
      )}
      <Box flexGrow={1} />
      <Text wrap="truncate">
        {panel.kind === 'confirm'
          ? paint(view, 'yellow', `▲ ${panel.action.question(data)} y/N   ${panel.action.command(data)}`)
          : notice === ''
            ? ' '
            : notice}
      </Text>
      <Text wrap="truncate" dimColor>
        {hints(data, panel, isReadOnly)}
      </Text>
    </Box>
  )
}

function Header({ data, view }: { data: WatchView; view: View }): ReactElement {
  const { rollout } = data
  const age =
    data.dataAgeMs === null
      ? ''
      : data.dataAgeMs > 5000
        ? paint(view, 'yellow', `  ▲ data ${formatDuration(data.dataAgeMs)} old`)
        : '  ● live'
  return (
    <Text wrap="truncate">
      <Text bold>{`${rollout.rollout} ${rollout.service}`}</Text>
      {`  ${rollout.fromRelease} → ${rollout.release}  ${stateText(view, rollout)}  ${leftText(data)}${age}`}
    </Text>
  )
}

function Main({ data, view, rows, columns }: { data: WatchView; view: View; rows: number; columns: number }): ReactElement {
  const { rollout } = data
  const because = rollout.causeText ?? rollout.heldText ?? rollout.reason
  const room = Math.max(3, rows - Math.max(FIXED_ROWS, rollout.steps.length + 6) - 2)
  return (
    <>
      <Text wrap="truncate">{because === '' ? ' ' : because}</Text>
      <Box marginTop={1}>
        <Box flexDirection="column" width={LADDER_WIDTH} flexShrink={0}>
          <Text bold>STEPS</Text>
          {rollout.steps.map((step) => (
            <Text key={step.step} wrap="truncate">
              {stepText(view, step, data.nowMs)}
            </Text>
          ))}
          <Text dimColor wrap="truncate">{`profile ${rollout.profile}`}</Text>
          <Text dimColor wrap="truncate">{`canary tasks ${rollout.canaryTasks}`}</Text>
        </Box>
        <Box flexDirection="column" flexGrow={1}>
          <Text wrap="truncate">{`split   ${splitBar(view, rollout.sharePpm, 24)} ${formatShare(rollout.sharePpm)} canary${rollout.isApplied || rollout.endedAtMs !== null ? '' : ', on its way'}`}</Text>
          <Evidence data={data} view={view} width={columns - LADDER_WIDTH} />
          <Text wrap="truncate">{`sample  ${sampleText(view, data)}`}</Text>
          <Text wrap="truncate">{`breaker ${breakerText(view, data)}`}</Text>
          <Text wrap="truncate">{`judge   ${data.verdict === null ? '–' : `${data.verdict} (${data.verdictReason})${data.isLive ? '' : ', logged'}`}`}</Text>
        </Box>
      </Box>
      <Box flexDirection="column" marginTop={1}>
        <Text bold>EVENTS</Text>
        {data.events.slice(-room).map((event) => (
          <Text key={event.position} wrap="truncate">
            {eventText(event)}
          </Text>
        ))}
      </Box>
    </>
  )
}

function Evidence({ data, view, width }: { data: WatchView; view: View; width: number }): ReactElement {
  const lines = metricLines(data)
  if (lines.length === 0) return <Text dimColor>no evidence yet</Text>
  const bar = Math.max(12, Math.min(40, width - 34))
  return (
    <>
      {lines.map((line: MetricLine) => (
        <Box key={line.name} flexDirection="column">
          <Text wrap="truncate">{`${line.name}: ${line.canary} against ${line.control} ${line.ratio}`}</Text>
          <Text wrap="truncate">{`  ${evidenceBar(view, line.e, line.line, bar)} E ${eText(line.e)} of ${eText(line.line)}, gate ${line.isOpen ? 'open' : 'closed'}`}</Text>
        </Box>
      ))}
    </>
  )
}

function Help(): ReactElement {
  return (
    <Box flexDirection="column" marginTop={1}>
      {Object.values(ACTIONS).map((action) => (
        <Text key={action.verb}>{`${action.key}  ${action.about}`}</Text>
      ))}
      <Text>w why: every verdict with its numbers</Text>
      <Text>q out, esc back</Text>
      <Text> </Text>
      <Text>The bars show E, the evidence of harm, on a log scale: ┼ is 1 (none), ╂ the line at</Text>
      <Text>which the rollout goes home. The gate is open once the canary is shown not to be worse.</Text>
    </Box>
  )
}

function hints(data: WatchView, panel: Panel, isReadOnly: boolean): string {
  if (panel.kind === 'confirm') return 'y yes  n no'
  if (panel.kind !== 'main') return 'esc back  ↑↓ scroll  q back'
  const legal = Object.values(ACTIONS).filter((action) => data.rollout.legal.includes(action.verb))
  return [...(isReadOnly ? ['read-only'] : legal.map((action) => `${action.key} ${action.verb}`)), 'w why', '? help', 'q out'].join('  ')
}
