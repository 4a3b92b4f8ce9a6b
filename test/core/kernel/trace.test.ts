import { expect, test } from 'vitest'
import { causeOfText, causeOfTraceparent, causeText, entrySpan, taskSpan, traceparentOf } from '../../../src/core/kernel/trace.ts'

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
const span = '00f067aa0ba902b7'

test('a traceparent is read as W3C Trace Context says, later versions too, and what is none is nobody’s cause', () => {
  expect(causeOfTraceparent(`00-${trace}-${span}-01`)).toEqual({ trace, span })
  expect(causeOfTraceparent(`01-${trace}-${span}-00-more`)).toEqual({ trace, span })
  for (const bad of [
    '',
    `ff-${trace}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${trace}-${span}`,
  ])
    expect(causeOfTraceparent(bad), bad).toBeNull()
})

test('a cause is written and read back; entries of earlier versions name the trace alone', () => {
  expect(causeOfTraceparent(traceparentOf({ trace, span }))).toEqual({ trace, span })
  expect(causeOfText(causeText({ trace, span }))).toEqual({ trace, span })
  expect(causeOfText(trace)).toEqual({ trace, span: '' })
})

test('spans of entries and of tasks are 16 digits, and none is another’s', () => {
  const spans = [1, 2, 2 ** 40].flatMap((n) => [entrySpan(n), taskSpan(n, 1), taskSpan(n, 2)])
  expect(new Set(spans).size).toBe(9)
  expect(spans.every((it) => /^[0-9a-f]{16}$/.test(it))).toBe(true)
})
