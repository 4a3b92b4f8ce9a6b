import { Box, Text } from 'ink'
import type { ReactElement } from 'react'
import type { DemoStep, DemoView } from '../../cli/demo/report.ts'
import { formatDuration, formatShare } from '../../core/kernel/units.ts'

const GLYPH: Record<DemoStep['state'], { glyph: string; color: string }> = {
  waiting: { glyph: '○', color: 'gray' },
  running: { glyph: '◐', color: 'cyan' },
  ok: { glyph: '●', color: 'green' },
  failed: { glyph: '✖', color: 'red' },
  skipped: { glyph: '○', color: 'gray' },
}

const BAR_CELLS = 40

/** What the demo does now: its steps, the traffic, and how far the new version has come. 80×24 is enough. */
export function DemoScreen({ view }: { view: DemoView }): ReactElement {
  const { report } = view
  const filled = Math.round((view.share / 1_000_000) * BAR_CELLS)
  return (
    <Box flexDirection="column" width={80}>
      <Text>
        <Text bold>muster demo</Text>
        <Text
          dimColor
        >{`  ${formatDuration(Math.floor(report.tookMs / 1000) * 1000)}  2 regions, 6 nodes, real processes and requests`}</Text>
      </Text>
      <Text dimColor>{`rollouts use the profile "${report.profile}": steps of seconds, from 5 %; the usual α`}</Text>
      <Box flexDirection="column" marginTop={1}>
        {report.steps.map((step) => (
          <StepLines key={step.name} step={step} />
        ))}
      </Box>
      <Box marginTop={1} flexDirection="column">
        <Text>
          {`traffic    ${view.perSecond} answers/s, ${view.answers} in all, `}
          {view.errors === 0 ? <Text color="green">no errors</Text> : <Text color="yellow">{`${view.errors} errors`}</Text>}
        </Text>
        <Text>
          {`version ${view.version}  `}
          <Text color="magenta">{'█'.repeat(filled)}</Text>
          <Text dimColor>{'░'.repeat(BAR_CELLS - filled)}</Text>
          {` ${formatShare(view.share)}  ${view.word}`}
        </Text>
      </Box>
      {report.steps.some(({ state }) => state === 'waiting' || state === 'running') && (
        <Text dimColor>{'\nCtrl-C ends it and takes everything down'}</Text>
      )}
    </Box>
  )
}

function StepLines({ step }: { step: DemoStep }): ReactElement {
  const { glyph, color } = GLYPH[step.state]
  return (
    <Box flexDirection="column">
      <Text dimColor={step.state === 'waiting'} wrap="truncate">
        <Text color={color}>{`${glyph} ${step.state.padEnd(8)}`}</Text>
        {step.title}
        {step.tookMs === null ? '' : <Text dimColor>{`  ${formatDuration(step.tookMs)}`}</Text>}
      </Text>
      {step.lines.map((line) => (
        <Text key={line} dimColor wrap="truncate">{`           ${line}`}</Text>
      ))}
    </Box>
  )
}
