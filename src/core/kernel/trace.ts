/**
 * Traces after W3C Trace Context: a trace id of 32 hexadecimal digits, span ids of 16. One trace goes from a command through the
 * operation, the entries it made, what controllers made of those, to the task that an agent starts. Spans of what is in the log have
 * ids that follow from their place there, so who tells of a cause needs to keep nothing.
 */

/** What caused something: a trace, and the span in it. As text `TRACE-SPAN`. */
export interface Cause {
  trace: string
  span: string
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/

/** The cause that a valid `traceparent` names, or null. */
export function causeOfTraceparent(text: string): Cause | null {
  const [, version, trace, span] = TRACEPARENT.exec(text) ?? []
  if (version === undefined || trace === undefined || span === undefined) return null
  return version === 'ff' || /^0+$/.test(trace) || /^0+$/.test(span) ? null : { trace, span }
}

export const traceparentOf = ({ trace, span }: Cause): string => `00-${trace}-${span}-01`

export const causeText = ({ trace, span }: Cause): string => `${trace}-${span}`

/** The cause in an entry's `trace`; entries of earlier versions name the trace alone, whose first span is then not known. */
export function causeOfText(text: string): Cause {
  const [trace = '', span = ''] = text.split('-')
  return { trace, span }
}

/** The span that is the entry at a position of the control log. */
export const entrySpan = (position: number): string => hex(position, 16)

/** The span that is an incarnation of a task. Begins with another digit than any position does. */
export const taskSpan = (id: number, incarnation: number): string => `f${hex(incarnation, 3)}${hex(id, 12)}`

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0').slice(-digits)
