import { causeText, type Cause, causeOfText, entrySpan } from '../core/kernel/trace.ts'
import type { Entry } from '../core/contracts/entry.ts'
import { newCause, newSpan } from '../platform/trace-ids.ts'

/** A piece of work that goes on; what it causes names its `cause`. */
export interface Span {
  cause: Cause
  end: (isOk: boolean, more?: Record<string, unknown>) => void
}

export interface Tracer {
  /** Begins a span below what caused it, or a trace of its own. */
  begin: (name: string, from: Cause | null) => Span
  /** The entries that have a cause, as spans: moments in the trace. */
  entries: (entries: readonly Entry[]) => void
}

type Add = (table: string, row: Record<string, unknown>) => void

const TABLE = 'muster_traces'

/** Muster's own spans as rows of `muster_traces`, in the columns that OTLP's spans have in `traces`. */
export function createTracer(add: Add, server: string): Tracer {
  const where = { service: 'muster-server', server }
  return {
    begin: (name, from) => {
      const started = Date.now()
      const startedMs = performance.now()
      const cause = from === null ? newCause() : { trace: from.trace, span: newSpan() }
      return {
        cause,
        end: (isOk, more = {}) =>
          add(TABLE, {
            ...{ time: started, trace_id: cause.trace, span_id: cause.span, parent_span_id: from?.span ?? '', name },
            ...{ duration_ms: performance.now() - startedMs, status: isOk ? 'ok' : 'error' },
            ...{ ...where, ...more },
          }),
      }
    },
    entries: (entries) => {
      for (const { position, at, type, trace, actor, notable } of entries) {
        if (trace === undefined) continue
        const cause = causeOfText(trace)
        add(TABLE, {
          ...{ time: at, trace_id: cause.trace, span_id: entrySpan(position), parent_span_id: cause.span, name: type },
          ...{ duration_ms: 0, status: 'ok', kind: 'entry', position, actor, text: notable?.text ?? '' },
          ...where,
        })
      }
    },
  }
}

/** Where nobody is told. */
export const untold: Tracer = createTracer(() => undefined, '')

/** The newest cause among entries that controllers look at together, as the parent of what they decide; null: nobody traced them. */
export function causeAmong(entries: readonly Entry[]): Cause | null {
  const last = entries.findLast(({ trace }) => trace !== undefined)
  return last?.trace === undefined ? null : { trace: causeOfText(last.trace).trace, span: entrySpan(last.position) }
}

/** For `submit`. */
export const traceOf = (cause: Cause | null): { trace?: string } => (cause === null ? {} : { trace: causeText(cause) })
