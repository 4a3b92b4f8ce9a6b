import type { z } from 'zod'
import type { logChain } from '../../core/delos/operations.ts'
import { count, dateTime } from '../shell/text.ts'

export type Chain = z.output<typeof logChain.output>
export type ChainLog = Chain['logs'][number]
export type ChainMark = Chain['marks'][number]

/** Positions from `from` to before `to`. */
export interface Range {
  from: number
  to: number
}

/** What is said of a thing in the band: to the eye, to the ear, and in the panel below. */
export interface Details {
  title: string
  rows: { name: string; value: string }[]
}

interface Placed {
  key: string
  x: number
  width: number
  details: Details
}

export interface BandSegment extends Placed {
  kind: string
  isOpen: boolean
  /** fits into it; '' where nothing does */
  label: string
}

export interface BandMark extends Placed {
  kind: ChainMark['kind']
  /** from 0, so that marks of one lane do not cover each other */
  lane: number
  isOpen: boolean
  /** in the table of marks */
  anchor: string
}

export interface BandSwitch extends Placed {
  /** beside it; '' where there is no room */
  label: string
  /** of it the label stands */
  side: 'left' | 'right'
}

export interface Band {
  range: Range
  segments: BandSegment[]
  switches: BandSwitch[]
  marks: BandMark[]
  lanes: number
  ticks: { x: number; label: string }[]
}

export const ZOOMS = ['all', '10000', '1000', '100'] as const
export type Zoom = (typeof ZOOMS)[number]

/** Of the axis, behind the newest entry. */
const OPEN_SHARE = 0.08
const SEGMENT_MIN_PX = 6
const MARK_MIN_PX = 8
const GAP_PX = 2
/** About the width of a character at the band's size of text. */
const CHAR_PX = 7.2
const TICK_PX = 110
/** Marks that find no free lane share the last one. */
const LANES_MAX = 6

export function rangeOf({ head, tail }: Pick<ChainLog, 'head' | 'tail'>, zoom: Zoom): Range {
  const from = zoom === 'all' ? head : Math.max(head, tail - Number(zoom))
  // Room for what comes next: also an open segment without an entry is seen.
  return { from, to: tail + Math.max(1, Math.ceil((tail - from) * OPEN_SHARE)) }
}

/** Position → pixel, for a range that is `width` pixels wide. */
export function scaleOf({ from, to }: Range, width: number): (position: number) => number {
  return (position) => ((position - from) / (to - from)) * width
}

/**
 * A log's chain as a band, and what stands in the log above it, on one axis.
 * @param width of the axis, px
 * @param marks of this log's positions
 */
export function bandOf(log: ChainLog, marks: readonly ChainMark[], range: Range, width: number): Band {
  const placed = placeMarks(marks, range, width)
  return {
    range,
    segments: log.segments.flatMap((segment, i) => placeSegment(segment, i, range, width)),
    switches: switchesOf(log, range, width),
    marks: placed,
    lanes: placed.reduce((lanes, { lane }) => Math.max(lanes, lane + 1), 0),
    ticks: ticksOf(range, width),
  }
}

type Segment = ChainLog['segments'][number]

function placeSegment(segment: Segment, i: number, range: Range, width: number): BandSegment[] {
  const end = segment.end ?? range.to
  if (segment.end !== null && segment.end <= range.from && segment.first < range.from) return []
  const { x, width: wide } = stretch({ from: segment.first, to: end }, range, width, SEGMENT_MIN_PX)
  const isOpen = segment.end === null
  const labels = [`${segment.kind} ${segment.loglet} · ${isOpen ? 'open' : 'sealed'}`, `${segment.kind} ${isOpen ? '▸' : ''}`.trim()]
  const label = labels.find((text) => text.length * CHAR_PX < wide - 12) ?? ''
  const drawn = Math.max(SEGMENT_MIN_PX - GAP_PX, wide - (isOpen ? 0 : GAP_PX))
  return [{ key: `${i}-${segment.loglet}`, x, width: drawn, kind: segment.kind, isOpen, label, details: segmentDetails(segment) }]
}

export function segmentDetails(segment: Segment): Details {
  const isOpen = segment.end === null
  return {
    title: `${segment.kind} ${segment.loglet}`,
    rows: [
      { name: 'state', value: isOpen ? 'open: it takes appends' : 'sealed' },
      { name: 'positions', value: positionsOf(segment) },
      { name: 'batches', value: `${count(segment.batchFirst)} … ${segment.batchEnd === null ? '' : count(segment.batchEnd - 1)}`.trim() },
      { name: 'where', value: segment.where },
      ...(segment.moved === null ? [] : [{ name: 'since', value: `${dateTime(segment.moved.at)} by ${segment.moved.actor}` }]),
    ],
  }
}

/** `1 … 20`, `21 …`, `none` */
export function positionsOf({ first, end }: Pick<Segment, 'first' | 'end'>): string {
  if (end === null) return `${count(first)} …`
  return end <= first ? 'none' : `${count(first)} … ${count(end - 1)}`
}

/** Where the log went on in another loglet. */
function switchesOf(log: ChainLog, range: Range, width: number): BandSwitch[] {
  const scale = scaleOf(range, width)
  return log.segments.flatMap((segment, i): BandSwitch[] => {
    const before = log.segments[i - 1]
    if (before === undefined || segment.first < range.from || segment.first > range.to) return []
    const { moved } = segment
    const x = scale(segment.first)
    return [
      {
        key: `switch-${segment.loglet}`,
        x,
        width: 0,
        ...labelBeside(moved === null ? '' : `${dateTime(moved.at)}, ${moved.actor}`, x, width),
        details: {
          title: `${before.kind} ${before.loglet} → ${segment.kind} ${segment.loglet}`,
          rows: [
            { name: 'at position', value: count(segment.first) },
            { name: 'time', value: moved === null ? 'not noted' : dateTime(moved.at) },
            { name: 'by', value: moved?.actor ?? 'not noted' },
          ],
        },
      },
    ]
  })
}

function labelBeside(text: string, x: number, width: number): Pick<BandSwitch, 'label' | 'side'> {
  const wide = text.length * CHAR_PX + 10
  if (x + wide <= width) return { label: text, side: 'right' }
  return { label: wide <= x ? text : '', side: 'left' }
}

/** Each mark in the first lane that is free where it begins: no two of a lane cover each other, while there are lanes. */
function placeMarks(marks: readonly ChainMark[], range: Range, width: number): BandMark[] {
  const ends: number[] = []
  return marks
    .filter(({ from, to }) => from < range.to && (to ?? range.to) >= range.from)
    .toSorted((a, b) => a.from - b.from)
    .map((mark) => {
      const { x, width: wide } = stretch({ from: mark.from, to: (mark.to ?? range.to - 1) + 1 }, range, width, MARK_MIN_PX)
      const free = ends.findIndex((end) => end <= x)
      const lane = free === -1 ? Math.min(ends.length, LANES_MAX - 1) : free
      ends[lane] = x + wide + GAP_PX
      return {
        key: `${mark.kind}-${mark.id}`,
        x,
        width: wide,
        lane,
        kind: mark.kind,
        isOpen: mark.to === null,
        anchor: anchorOf(mark),
        details: markDetails(mark),
      }
    })
}

export function anchorOf({ kind, id }: Pick<ChainMark, 'kind' | 'id'>): string {
  return `${kind}-${id}`
}

export function markDetails(mark: ChainMark): Details {
  return {
    title: `${mark.kind} ${mark.kind === 'incident' ? '#' : ''}${mark.id}: ${mark.title}`,
    rows: [
      { name: 'state', value: mark.state },
      { name: 'began', value: `at position ${count(mark.from)}, ${dateTime(mark.at)}` },
      { name: 'ended', value: mark.to === null ? 'not yet' : `at position ${count(mark.to)}` },
      { name: 'more', value: mark.kind === 'incident' ? `muster sev show ${mark.id}` : `muster deploy why ${mark.id}` },
    ],
  }
}

/** What of a stretch is in the range, in pixels: never narrower than can be seen and hit, never outside. */
function stretch(positions: Range, range: Range, width: number, min: number): { x: number; width: number } {
  const scale = scaleOf(range, width)
  const from = Math.min(Math.max(scale(positions.from), 0), width)
  const to = Math.min(Math.max(scale(positions.to), from), width)
  const wide = Math.min(Math.max(to - from, min), width)
  return { x: Math.min(from, width - wide), width: wide }
}

/** Round positions, at most so many that their labels have room. */
export function ticksOf(range: Range, width: number): { x: number; label: string }[] {
  const scale = scaleOf(range, width)
  const rough = (range.to - range.from) / Math.max(1, Math.floor(width / TICK_PX))
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)))
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? 1)
  const ticks: { x: number; label: string }[] = []
  for (let position = Math.ceil(range.from / step) * step; position < range.to; position += step)
    ticks.push({ x: scale(position), label: count(position) })
  return ticks
}

/** Said to who does not see the band. */
export function spoken({ title, rows }: Details): string {
  return `${title}. ${rows.map(({ name, value }) => `${name} ${value}`).join('. ')}`
}
