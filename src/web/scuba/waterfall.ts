import type { TraceAnswer, TraceSpan } from '../../core/scuba/wire-types.ts'
import { milliseconds } from './numbers.ts'

export interface Bar {
  span: TraceSpan
  /** of the width, 0 to 1 */
  left: number
  width: number
  /** of its service among all of the trace */
  service: number
  /** where its duration has room */
  label: 'after' | 'before' | 'inside'
}

export interface Waterfall {
  bars: Bar[]
  ticks: { left: number; label: string }[]
  /** in the order in which they appear, which is that of their colours */
  services: string[]
  /** the indexes of those with the most spans, and how many more there are */
  named: number[]
  unnamed: number
}

const TICKS = 5
const NAMED_MAX = 12
/** A duration needs about this share of the width. */
const LABEL_SHARE = 0.1

/** Where each span stands on the axis of its trace. */
export function waterfall({ spans, startMs, durationMs }: Pick<TraceAnswer, 'spans' | 'startMs' | 'durationMs'>): Waterfall {
  const wholeMs = Math.max(durationMs, 0.001)
  const spansOf = new Map<string, number>()
  for (const { service } of spans) spansOf.set(service ?? '', (spansOf.get(service ?? '') ?? 0) + 1)
  const services = [...spansOf.keys()]
  const indexOf = new Map(services.map((service, i) => [service, i]))
  const bySize = services.map((_, i) => i).toSorted((a, b) => (spansOf.get(services[b] ?? '') ?? 0) - (spansOf.get(services[a] ?? '') ?? 0))
  return {
    bars: spans.map((span) => {
      const left = clamp((span.startMs - startMs) / wholeMs)
      const width = Math.max(0.002, Math.min(1 - left, span.durationMs / wholeMs))
      const label = left + width < 1 - LABEL_SHARE ? 'after' : left > LABEL_SHARE ? 'before' : 'inside'
      return { span, left, width, service: indexOf.get(span.service ?? '') ?? 0, label }
    }),
    ticks: Array.from({ length: TICKS }, (_, i) => ({ left: i / (TICKS - 1), label: milliseconds((wholeMs * i) / (TICKS - 1)) })),
    services,
    named: bySize.slice(0, NAMED_MAX),
    unnamed: Math.max(0, services.length - NAMED_MAX),
  }
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share))
