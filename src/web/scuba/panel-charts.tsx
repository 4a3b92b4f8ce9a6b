import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { PanelAnswer } from '../../core/scuba/wire-types.ts'
import type { ApiError } from '../live/api.ts'
import { Chart, type Span } from './chart.tsx'
import { HeatMap } from './heat-map.tsx'
import { heatChart } from './heat.ts'
import { HeatTable } from './heat-table.tsx'
import { PointsTable } from './points-table.tsx'
import { chartsOf, isEmpty, stepsOf, type Line } from '../../core/scuba/explore/series.ts'
import { StateBox } from './state-box.tsx'

export interface PanelChartsProps {
  answer: PanelAnswer | null
  error: ApiError | null
  isLoading: boolean
  /** of all charts together, px */
  height: number
  title: string
  mark?: Span | null
  bold?: string | null
  levels?: readonly { value: number; label: string }[]
  hasTables?: boolean
  onPoint?: (line: Line | null, stepMs: number) => void
  onMark?: (span: Span | null) => void
  onCell?: (column: string, stepMs: number, low: number, high: number) => void
}

/** A panel's answer: one chart a calculation, or a heat map; where there is none, why. */
export function PanelCharts(props: PanelChartsProps): JSX.Element {
  const { answer, error, isLoading, height, title, hasTables = true, mark = null } = props
  const charts = useMemo(() => (answer === null ? [] : chartsOf(answer).filter(({ calc }) => !calc.startsWith('heatmap:'))), [answer])
  const heats = useMemo(() => (answer === null ? [] : heatsOf(answer)), [answer])
  if (error !== null || answer === null || isEmpty(answer)) return <StateBox height={height + 24} error={error} isLoading={isLoading} />
  const each = Math.max(120, Math.floor(height / Math.max(1, charts.length + heats.length)))
  return (
    <div class={isLoading ? 'stale' : ''}>
      {heats.map(({ calc, chart }) => (
        <div key={calc}>
          <HeatMap
            chart={chart}
            calc={calc}
            height={each}
            label={`${title}: ${calc}`}
            mark={mark}
            onCell={(stepMs, low, high) => props.onCell?.(calc.replace('heatmap:', ''), stepMs, low, high)}
          />
          {hasTables && <HeatTable chart={chart} calc={calc} />}
        </div>
      ))}
      {charts.map((data) => (
        <div key={data.calc}>
          {charts.length > 1 && <h3 class="calc">{data.calc}</h3>}
          <Chart
            data={data}
            height={each}
            label={`${title}: ${data.calc}`}
            mark={mark}
            bold={props.bold ?? null}
            {...(props.levels === undefined ? {} : { levels: props.levels })}
            {...(props.onPoint === undefined ? {} : { onPoint: props.onPoint })}
            {...(props.onMark === undefined ? {} : { onMark: props.onMark })}
          />
          {hasTables && <PointsTable data={data} />}
        </div>
      ))}
    </div>
  )
}

function heatsOf(answer: PanelAnswer): { calc: string; chart: ReturnType<typeof heatChart> }[] {
  const { stepMs, groups } = answer
  if (stepMs === null) return []
  const steps = stepsOf(answer)
  return Object.entries(groups[0]?.heatmaps ?? {}).map(([calc, heatmap]) => ({ calc, chart: heatChart(heatmap, steps, stepMs) }))
}
