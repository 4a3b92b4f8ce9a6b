import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { clipped } from '../../core/scuba/explore/conditions.ts'
import { clockTime, dateTime } from '../shell/text.ts'
import { useColours, type Colours } from './colours.ts'
import { valueText } from './numbers.ts'
import type { ChartData, Line } from '../../core/scuba/explore/series.ts'

export interface Span {
  fromMs: number
  toMs: number
}

export interface ChartProps {
  data: ChartData
  height: number
  /** said to who does not see it */
  label: string
  /** levels across the whole chart, of an alert */
  levels?: readonly { value: number; label: string }[]
  mark?: Span | null
  /** key of the line that stands out */
  bold?: string | null
  onPoint?: (line: Line | null, stepMs: number) => void
  onMark?: (span: Span | null) => void
}

/** Lines of one calculation. By mouse or keys: a point opens its rows, a stretch is marked. */
export function Chart({ data, height, label, levels = [], mark = null, bold = null, onPoint, onMark }: ChartProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const colours = useColours()
  const [at, setAt] = useState<number | null>(null)
  const [hot, setHot] = useState<number | null>(null)
  const anchor = useRef<number | null>(null)
  const now = useRef({ data, onPoint, onMark, mark })
  now.current = { data, onPoint, onMark, mark }
  const shape = `${data.lines.map(({ key }) => key).join('|')} ${data.calc} ${colours.key} ${height} ${levels.map(({ value }) => value).join()} ${bold}`

  useEffect(() => {
    const { current: element } = frame
    if (element === null) return
    const made = new uPlot(optionsOf(data, element.clientWidth, height, colours, levels, bold), tableOf(data), element)
    plot.current = made
    made.over.addEventListener('click', () => {
      const { idx } = made.cursor
      const step = now.current.data.steps[idx ?? -1]
      if (step === undefined || isDragged) return
      const series = nearest(made)
      now.current.onPoint?.(series === null ? null : (now.current.data.lines[series - 1] ?? null), step)
    })
    let isDragged = false
    made.over.addEventListener('mousedown', () => (isDragged = false))
    made.hooks['setSelect'] = [
      ({ select, posToVal }) => {
        if (select.width < 4) return
        isDragged = true
        const { stepMs, steps } = now.current.data
        const snap = (px: number): number => Math.floor((posToVal(px, 'x') * 1000) / stepMs) * stepMs
        const fromMs = Math.max(snap(select.left), steps[0] ?? 0)
        now.current.onMark?.({ fromMs, toMs: snap(select.left + select.width) + stepMs })
        made.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false)
      },
    ]
    made.hooks['setCursor'] = [
      ({ cursor }) => {
        setHot(cursor.left !== undefined && cursor.left >= 0 ? (cursor.idx ?? null) : null)
      },
    ]
    made.hooks['drawClear'] = [(u) => drawMark(u, now.current.mark, colours)]
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = null
    }
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- what is drawn anew is another shape; other values alone go into the same one
  }, [shape])
  useEffect(() => {
    plot.current?.setData(tableOf(data))
  }, [data])
  useEffect(() => plot.current?.redraw(false, false), [mark?.fromMs, mark?.toMs])

  const onKeyDown = (event: KeyboardEvent): void => {
    const last = data.steps.length - 1
    const from = at ?? last
    const moves: Record<string, number> = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      Home: 0,
      End: last,
      PageUp: from - 10,
      PageDown: from + 10,
    }
    const to = moves[event.key]
    if (to !== undefined && !event.altKey && !event.ctrlKey && !event.metaKey) {
      const next = Math.min(last, Math.max(0, to))
      if (event.shiftKey) extend(from, next)
      else anchor.current = null
      setAt(next)
      event.preventDefault()
    } else if (event.key === 'Enter') {
      const step = data.steps[at ?? last]
      if (step !== undefined) onPoint?.(null, step)
    }
  }
  /** Marks from where Shift was held first to here, both with their whole steps. */
  const extend = (from: number, to: number): void => {
    anchor.current ??= from
    const first = data.steps[Math.min(anchor.current, to)]
    const last = data.steps[Math.max(anchor.current, to)]
    if (first !== undefined && last !== undefined) onMark?.({ fromMs: first, toMs: last + data.stepMs })
  }
  const shown = at ?? hot ?? newestKnown(data)
  return (
    <div class="chart">
      <div
        class="plot"
        ref={frame}
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        aria-label={`${label}. Arrows go through its steps, with Shift they mark a stretch, Enter shows the rows of a step.`}
        onKeyDown={onKeyDown}
        onFocus={() => setAt((before) => before ?? data.steps.length - 1)}
        onBlur={() => setAt(null)}
        style={{ height: `${height}px` }}
      />
      <p class="readout" role={at === null ? undefined : 'status'}>
        {data.steps[shown] === undefined ? ' ' : readout(data, shown, colours)}
      </p>
    </div>
  )
}

/** The newest step that is over and of which something is known: what is told while nobody points. */
function newestKnown({ steps, lines }: ChartData): number {
  for (let i = steps.length - 2; i >= 0; i -= 1) if (lines.some(({ values }) => values[i] !== null)) return i
  return steps.length - 1
}

const READ_MAX = 8
const LABEL_MAX = 40

/** The values of a step, the highest first. */
function readout(data: ChartData, at: number, colours: Colours): JSX.Element {
  const step = data.steps[at] ?? 0
  const known = data.lines.flatMap((line) => {
    const value = line.values[at]
    return value === null || value === undefined ? [] : [{ line, value }]
  })
  const lines = known.toSorted((a, b) => b.value - a.value).slice(0, READ_MAX)
  return (
    <>
      <time>{dateTime(step)}</time>
      {lines.map(({ line, value }) => (
        <span key={line.key}>
          <i class="swatch" style={{ background: colours.line(line.index) }} /> {clipped(line.label, LABEL_MAX)}{' '}
          <b>{valueText(value, data.calc)}</b>
        </span>
      ))}
      {known.length > lines.length && <span>and {known.length - lines.length} more</span>}
      {known.length === 0 && <span>no value</span>}
    </>
  )
}

function tableOf(data: ChartData): uPlot.AlignedData {
  return [data.steps.map((ms) => ms / 1000), ...data.lines.map(({ values }) => values)]
}

const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]]

function optionsOf(
  data: ChartData,
  width: number,
  height: number,
  colours: Colours,
  levels: ChartProps['levels'],
  bold: string | null,
): uPlot.Options {
  const axis = {
    stroke: colours.quiet,
    grid: { stroke: colours.grid, width: 1 },
    ticks: { stroke: colours.grid, width: 1, size: 4 },
    font: colours.font,
  }
  const last = data.steps.at(-1) ?? 0
  return {
    width: Math.max(200, width),
    height,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: { focus: { prox: 24 }, drag: { x: true, y: false, setScale: false }, points: { size: 6 }, y: false },
    focus: { alpha: 0.35 },
    scales: {
      // All of the range, also where its ends have no value.
      x: { time: true, range: () => [(data.steps[0] ?? 0) / 1000, Math.max(last, (data.steps[0] ?? 0) + data.stepMs) / 1000] },
      y: {
        range: (_u, low, high) =>
          yRange(
            low,
            high,
            (levels ?? []).map(({ value }) => value),
          ),
      },
    },
    axes: [
      { ...axis, size: 26, values: (_u, splits, _i, _space, step) => splits.map((second) => timeLabel(second * 1000, step)) },
      { ...axis, size: 58, values: (_u, splits) => splits.map((value) => valueText(value, data.calc)) },
    ],
    series: [
      {},
      ...data.lines.map((line): uPlot.Series => ({
        label: line.label,
        stroke: colours.line(line.index),
        width: line.key === bold ? 3 : line.isEarlier ? 1 : 1.6,
        alpha: bold !== null && line.key !== bold ? 0.3 : line.isEarlier ? 0.7 : 1,
        dash: line.isEarlier ? [4, 4] : (DASHES[Math.floor(line.index / colours.count) % DASHES.length] ?? []),
        points: { show: (u, i) => isAlone(u.data[i]), size: 4, fill: colours.line(line.index) },
        spanGaps: false,
      })),
    ],
    hooks: { draw: [(u) => drawLevels(u, levels ?? [], colours)] },
  }
}

/** A line without neighbours would not be seen: its values are drawn as points. */
function isAlone(values: uPlot.TypedArray | (number | null | undefined)[] | undefined): boolean {
  const known = [...(values ?? [])].filter((value) => value !== null && value !== undefined).length
  return known > 0 && known < 4
}

function yRange(low: number | null, high: number | null, levels: readonly number[]): [number, number] {
  const top = Math.max(high ?? 0, ...levels, 0)
  const bottom = Math.min(low ?? 0, 0)
  return [bottom, top === bottom ? bottom + 1 : top + (top - bottom) * 0.06]
}

function timeLabel(ms: number, stepS: number): string {
  if (stepS >= 86_400) return dateTime(ms).slice(5, 10)
  const time = clockTime(ms)
  if (stepS >= 60) return time === '00:00:00' ? dateTime(ms).slice(5, 10) : time.slice(0, 5)
  return time
}

/** Index of the line under the pointer; null: none is near. */
function nearest(u: uPlot): number | null {
  const { idx, top } = u.cursor
  if (idx === null || idx === undefined || top === undefined) return null
  let best: { series: number; px: number } | null = null
  for (let series = 1; series < u.data.length; series += 1) {
    const value = u.data[series]?.[idx]
    if (value === null || value === undefined) continue
    const px = Math.abs(u.valToPos(value, 'y') - top)
    if (px < 30 && (best === null || px < best.px)) best = { series, px }
  }
  return best?.series ?? null
}

function drawMark(u: uPlot, mark: Span | null, colours: Colours): void {
  if (mark === null) return
  const { ctx, bbox } = u
  const left = Math.max(bbox.left, u.valToPos(mark.fromMs / 1000, 'x', true))
  const right = Math.min(bbox.left + bbox.width, u.valToPos(mark.toMs / 1000, 'x', true))
  if (right <= left) return
  ctx.save()
  ctx.fillStyle = colours.mark
  ctx.fillRect(left, bbox.top, right - left, bbox.height)
  ctx.fillStyle = colours.accent
  ctx.fillRect(left, bbox.top, 1, bbox.height)
  ctx.fillRect(right - 1, bbox.top, 1, bbox.height)
  ctx.restore()
}

function drawLevels(u: uPlot, levels: readonly { value: number; label: string }[], colours: Colours): void {
  const { ctx, bbox } = u
  ctx.save()
  ctx.font = colours.font.replace('11px', `${Math.round(11 * devicePixelRatio)}px`)
  ctx.textAlign = 'left'
  for (const [i, { value, label }] of levels.entries()) {
    const y = u.valToPos(value, 'y', true)
    ctx.strokeStyle = colours.bad
    ctx.fillStyle = colours.bad
    ctx.setLineDash([5, 4])
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
    ctx.fillText(label, bbox.left + (6 + i * 110) * devicePixelRatio, y - 4 * devicePixelRatio)
  }
  ctx.restore()
}
