import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { clockTime, count, dateTime } from '../shell/text.ts'
import type { Span } from './chart.tsx'
import { useColours, type Colours } from './colours.ts'
import { SHADES, type HeatChart } from './heat.ts'
import { valueText } from './numbers.ts'

export interface HeatMapProps {
  chart: HeatChart
  /** its values are of this calculation's unit */
  calc: string
  height: number
  label: string
  mark?: Span | null
  /** a step, and of it values from `low` to before `high` */
  onCell?: (stepMs: number, low: number, high: number) => void
}

const LEFT = 64
const BOTTOM = 22
const TOP = 6

/** How many rows had which value when: darker is more. Arrows go from cell to cell. */
export function HeatMap({ chart, calc, height, label, mark = null, onCell }: HeatMapProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(600)
  const [at, setAt] = useState<{ step: number; band: number } | null>(null)
  const colours = useColours()
  useEffect(() => {
    const parent = canvas.current?.parentElement
    if (!parent) return
    const look = (): void => setWidth(Math.max(200, parent.clientWidth))
    look()
    const observer = new ResizeObserver(look)
    observer.observe(parent)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    if (canvas.current !== null) draw(canvas.current, { chart, calc, width, height, colours, at, mark })
  }, [chart, calc, width, height, colours, at, mark])
  const cellAt = (event: MouseEvent): { step: number; band: number } | null => {
    const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect()
    const step = Math.floor(((event.clientX - left - LEFT) / (width - LEFT)) * chart.steps.length)
    const band = chart.bands.length - 1 - Math.floor(((event.clientY - top - TOP) / (height - BOTTOM - TOP)) * chart.bands.length)
    return chart.steps[step] === undefined || chart.bands[band] === undefined ? null : { step, band }
  }
  const open = (cell: { step: number; band: number } | null): void => {
    const [step, band] = cell === null ? [undefined, undefined] : [chart.steps[cell.step], chart.bands[cell.band]]
    if (step !== undefined && band !== undefined) onCell?.(step, band.low, band.high)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const from = at ?? { step: chart.steps.length - 1, band: 0 }
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0]
    if (event.key === 'Enter') open(at)
    if (x === 0 && y === 0) return
    const within = (value: number, length: number): number => Math.min(length - 1, Math.max(0, value))
    setAt({ step: within(from.step + (x ?? 0), chart.steps.length), band: within(from.band + (y ?? 0), chart.bands.length) })
    event.preventDefault()
  }
  return (
    <div class="chart heat">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-roledescription="heat map"
        aria-label={`${label}. Arrows go from cell to cell, Enter shows the rows of one.`}
        style={{ width: `${width}px`, height: `${height}px` }}
        onMouseMove={(event) => setAt(cellAt(event))}
        onMouseLeave={() => setAt(null)}
        onClick={(event) => open(cellAt(event))}
        onKeyDown={onKeyDown}
        onBlur={() => setAt(null)}
      />
      <p class="readout" role="status">
        {at === null ? <Scale chart={chart} colours={colours} /> : cellText(chart, calc, at)}
      </p>
    </div>
  )
}

function Scale({ chart, colours }: { chart: HeatChart; colours: Colours }): JSX.Element {
  return (
    <span class="heat-scale">
      1
      {Array.from({ length: SHADES }, (_, i) => (
        <i key={i} style={{ background: colours.shade(i + 1) }} />
      ))}
      {count(chart.countMax)} rows a cell
    </span>
  )
}

function cellText(chart: HeatChart, calc: string, { step, band }: { step: number; band: number }): JSX.Element {
  const { low = 0, high = 0 } = chart.bands[band] ?? {}
  const cell = chart.cells.find((each) => each.step === step && each.band === band)
  return (
    <>
      <time>{dateTime(chart.steps[step] ?? 0)}</time>
      <span>
        {valueText(low, calc)} to {valueText(high, calc)} <b>{count(cell?.count ?? 0)} rows</b>
      </span>
    </>
  )
}

interface Drawing {
  chart: HeatChart
  calc: string
  width: number
  height: number
  colours: Colours
  at: { step: number; band: number } | null
  mark: Span | null
}

function draw(canvas: HTMLCanvasElement, { chart, calc, width, height, colours, at, mark }: Drawing): void {
  const ratio = devicePixelRatio
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  const ctx = canvas.getContext('2d')
  if (ctx === null) return
  ctx.scale(ratio, ratio)
  ctx.clearRect(0, 0, width, height)
  const [wide, high] = [(width - LEFT) / Math.max(1, chart.steps.length), (height - BOTTOM - TOP) / Math.max(1, chart.bands.length)]
  const x = (step: number): number => LEFT + step * wide
  const y = (band: number): number => TOP + (chart.bands.length - 1 - band) * high
  ctx.font = '11px system-ui, sans-serif'
  ctx.strokeStyle = colours.grid
  ctx.fillStyle = colours.quiet
  const bandStep = Math.max(1, Math.ceil(28 / high))
  for (let band = 0; band < chart.bands.length; band += bandStep) {
    ctx.fillRect(LEFT - 4, y(band) + high - 0.5, 4, 1)
    const text = valueText(chart.bands[band]?.low ?? 0, calc)
    ctx.fillText(text, LEFT - 8 - ctx.measureText(text).width, y(band) + high + 3)
  }
  const tickStep = Math.max(1, Math.ceil(90 / wide))
  for (let step = 0; step < chart.steps.length - tickStep / 2; step += tickStep)
    ctx.fillText(clockTime(chart.steps[step] ?? 0).slice(0, chart.stepMs < 60_000 ? 8 : 5), x(step), height - 6)
  ctx.strokeRect(LEFT - 0.5, TOP - 0.5, width - LEFT, height - BOTTOM - TOP + 1)
  for (const { step, band, shade } of chart.cells) {
    ctx.fillStyle = colours.shade(shade)
    ctx.fillRect(x(step), y(band), Math.max(1, wide - (wide > 4 ? 1 : 0)), Math.max(1, high - (high > 4 ? 1 : 0)))
  }
  if (mark !== null && chart.steps.length > 0) {
    const place = (ms: number): number => Math.min(width, Math.max(LEFT, x((ms - (chart.steps[0] ?? 0)) / chart.stepMs)))
    ctx.fillStyle = colours.mark
    ctx.fillRect(place(mark.fromMs), TOP, place(mark.toMs) - place(mark.fromMs), height - BOTTOM - TOP)
  }
  if (at !== null) {
    ctx.strokeStyle = colours.text
    ctx.lineWidth = 2
    ctx.strokeRect(x(at.step), y(at.band), wide, high)
  }
}
