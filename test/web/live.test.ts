import { expect, test } from 'vitest'
import { sseReader, type SentEvent } from '../../src/web/live/sse.ts'
import { entryText, ENTRIES_SHOWN, withEntries } from '../../src/web/log/entries.ts'
import { ago } from '../../src/web/shell/text.ts'

test('events are read line by line: comments and unknown fields are nothing, and an empty line ends one', () => {
  const read = sseReader()
  const lines = [': events', '', 'id: 7', 'event: tw.NodeLost', 'data: {"a":', 'data: 1}', 'retry: 3', '', 'data: x', '']
  const events = lines.map(read).filter((event): event is SentEvent => event !== null)
  expect(events).toEqual([
    { id: '7', event: 'tw.NodeLost', data: '{"a":\n1}' },
    { id: '', event: '', data: 'x' },
  ])
})

const entry = (position: number) => ({ position, type: 'tw.NodeLost', v: 1, at: 0, actor: 'user:anna', body: { node: 'n1' } })

test('the newest entries come first, each once, and no more than are shown', () => {
  const shown = withEntries(
    [],
    Array.from({ length: ENTRIES_SHOWN }, (_, i) => entry(i + 1)),
  )
  const next = withEntries(shown, [entry(ENTRIES_SHOWN), entry(ENTRIES_SHOWN + 1)])
  expect([next.length, next[0]?.position, next.at(-1)?.position]).toEqual([ENTRIES_SHOWN, ENTRIES_SHOWN + 1, 2])
})

test('an entry says its own words where it has some, else its body, cut', () => {
  expect(entryText({ body: { a: 1 } })).toBe('{"a":1}')
  expect(entryText({ body: { a: 'x'.repeat(500) } }).length).toBeLessThan(170)
  expect(entryText({ body: {}, notable: { system: 'tw', kind: 'node-lost', target: 'n1', service: null, text: 'n1 is lost' } })).toBe(
    'n1 is lost',
  )
})

test('a time ago is told in the unit a person would use', () => {
  const now = 1_000_000_000
  expect([0, 30_000, 600_000, 10_000_000, 400_000_000].map((ms) => ago(now - ms, now))).toEqual([
    'now',
    '30 s ago',
    '10 min ago',
    '3 h ago',
    '5 d ago',
  ])
})
