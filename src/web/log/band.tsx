import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { bandOf, spoken, type ChainLog, type ChainMark, type Details, type Range } from './chain-band.ts'

const LANE_PX = 18
const BAND_PX = 40
const SWITCH_PX = 22
const AXIS_PX = 22

export interface BandProps {
  log: ChainLog
  marks: readonly ChainMark[]
  range: Range
  onDetails: (details: Details | null) => void
}

/** Marks of incidents and rollouts, the band of segments, the switches between them, and the axis of all. */
export function BandChart({ log, marks, range, onDetails }: BandProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null)
  const width = useWidth(frame)
  const band = bandOf(log, marks, range, width)
  const bandY = band.lanes * LANE_PX + (band.lanes > 0 ? 4 : 0)
  const axisY = bandY + BAND_PX + SWITCH_PX
  const told = (details: Details) => ({
    tabIndex: 0,
    'aria-label': spoken(details),
    onMouseEnter: () => onDetails(details),
    onFocus: () => onDetails(details),
  })
  return (
    <div class="band" ref={frame} onMouseLeave={() => onDetails(null)} onKeyDown={moveFocus}>
      <svg width={width} height={axisY + AXIS_PX} role="group" aria-label={`The chain of the log ${log.log}`}>
        {band.ticks.map(({ x, label }) => (
          <g key={label} class="tick" aria-hidden="true">
            <line x1={x} x2={x} y1={0} y2={axisY + 4} />
            <text x={Math.min(x + 3, width - label.length * 7)} y={axisY + 16}>
              {label}
            </text>
          </g>
        ))}
        {band.marks.map(({ key, x, width: wide, lane, kind, isOpen, anchor, details }) => (
          <a key={key} href={`#${anchor}`} class={`mark ${kind} ${isOpen ? 'open' : ''}`} {...told(details)}>
            <rect x={x} y={lane * LANE_PX} width={wide} height={LANE_PX - 4} rx={3} />
            <text x={x + 3} y={lane * LANE_PX + 11} aria-hidden="true">
              {wide > details.title.length * 6.6 ? details.title : kind === 'incident' && wide > 10 ? '!' : ''}
            </text>
          </a>
        ))}
        {band.segments.map(({ key, x, width: wide, kind, isOpen, label, details }) => (
          <g key={key} class={`segment ${kind} ${isOpen ? 'open' : 'sealed'}`} role="img" {...told(details)}>
            <rect x={x} y={bandY} width={wide} height={BAND_PX} rx={3} />
            <text x={x + 8} y={bandY + BAND_PX / 2 + 5} aria-hidden="true">
              {label}
            </text>
          </g>
        ))}
        {band.switches.map(({ key, x, label, side, details }) => (
          <g key={key} class="switch" role="img" {...told(details)}>
            <line x1={x} x2={x} y1={bandY - 3} y2={axisY - 4} />
            <path d={`M${x} ${axisY - 14}l-5 8h10z`} />
            <text x={side === 'right' ? x + 9 : x - 9} y={axisY - 6} text-anchor={side === 'right' ? 'start' : 'end'} aria-hidden="true">
              {label}
            </text>
          </g>
        ))}
      </svg>
    </div>
  )
}

/** Arrows go from one thing of the band to the next, as Tab does. */
function moveFocus(event: KeyboardEvent): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
  if (step === 0) return
  const things = [...(event.currentTarget as HTMLElement).querySelectorAll<SVGElement>('[tabindex="0"]')]
  const next = things[things.indexOf(document.activeElement as SVGElement) + step]
  if (next === undefined) return
  event.preventDefault()
  next.focus()
}

/** Width of an element, px, as it changes. */
function useWidth(element: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(800)
  useEffect(() => {
    const { current } = element
    if (current === null) return
    const look = (): void => setWidth(Math.max(240, Math.floor(current.clientWidth)))
    look()
    const observer = new ResizeObserver(look)
    observer.observe(current)
    return () => observer.disconnect()
  }, [element])
  return width
}
