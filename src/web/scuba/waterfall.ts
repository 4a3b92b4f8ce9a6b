import type { TraceAnswer, TraceSpan } from '../../core/scuba/wire-types.ts'
import { milliseconds } from './numbers.ts'

export interface Bar {
  span: TraceSpan
  /** of the width, 0 to 1 */
  left: number
  width: number
  /** of its service among all of the trace */
  service: number
}

export interface Waterfall {
  bars: Bar[]
  ticks: { left: number; label: string }[]
  services: string[]
  isCut: boolean
}

export const SPANS_MAX = 1000
const TICKS = 5

/** Where each span stands on the axis of its trace. */
export function waterfall({ spans, startMs, durationMs }: Pick<TraceAnswer, 'spans' | 'startMs' | 'durationMs'>): Waterfall {
  const wholeMs = Math.max(durationMs, 0.001)
  const shown = spans.slice(0, SPANS_MAX)
  const services = [...new Set(shown.map(({ service }) => service ?? ''))]
  return {
    bars: shown.map((span) => {
      const left = clamp((span.startMs - startMs) / wholeMs)
      return {
        span,
        left,
        width: Math.max(0.002, Math.min(1 - left, span.durationMs / wholeMs)),
        service: services.indexOf(span.service ?? ''),
      }
    }),
    ticks: Array.from({ length: TICKS }, (_, i) => ({ left: i / (TICKS - 1), label: milliseconds((wholeMs * i) / (TICKS - 1)) })),
    services,
    isCut: spans.length > SPANS_MAX,
  }
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share))
