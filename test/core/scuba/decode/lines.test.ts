import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineFraming, syslogFraming, type Framing } from '../../../../src/core/scuba/decode/lines/framing.ts'
import { syslogRow } from '../../../../src/core/scuba/decode/lines/syslog.ts'

const NOW = Date.UTC(2026, 0, 1, 0, 0, 5)
const row = (text: string): Record<string, unknown> => syslogRow(text, NOW, '10.0.0.9')

test('a message of RFC 5424 gives its header, its structured data and its text', () => {
  expect(
    row(
      '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 8710 ID47 [exampleSDID@32473 iut="3" q="a\\"b\\]"][x@1 y="z"] \uFEFFAn event',
    ),
  ).toEqual({
    ...{ time: Date.UTC(2003, 9, 11, 22, 14, 15, 3) * 1000, severity: 'NOTICE', severity_number: 10, facility: 'local4' },
    ...{ host: 'mymachine.example.com', service: 'evntslog', pid: '8710', msgid: 'ID47', body: 'An event' },
    ...{ 'sd.exampleSDID@32473.iut': '3', 'sd.exampleSDID@32473.q': 'a"b]', 'sd.x@1.y': 'z' },
  })
  expect(row('<34>1 - - - - - - ')).toEqual({ severity: 'CRIT', severity_number: 18, facility: 'auth', host: '10.0.0.9', body: '' })
  expect(row('<34>1 - h - - - [broken x')).toMatchObject({ body: '[broken x' })
})

test('a message of RFC 3164 gets the year in which it is not ahead', () => {
  expect(row('<13>Dec 31 23:59:59 web1 sshd[411]: Accepted key')).toEqual({
    ...{ time: Date.UTC(2025, 11, 31, 23, 59, 59) * 1000, severity: 'NOTICE', severity_number: 10, facility: 'user' },
    ...{ host: 'web1', service: 'sshd', pid: '411', body: 'Accepted key' },
  })
  expect(row('<13>Jan  1 00:00:04 web1 cron: x')).toMatchObject({ time: Date.UTC(2026, 0, 1, 0, 0, 4) * 1000, service: 'cron' })
  expect(row('<13>Feb 29 00:00:04 web1 cron: x')).toMatchObject({ body: 'x' })
})

test('no text is an error: what is not known stays in the body', () => {
  expect(row('just words')).toMatchObject({ body: 'just words', severity: 'NOTICE', host: '10.0.0.9' })
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '[', ']', '"', '\\', '=', ':', ' ', '<', '1', 'é', '\u0000'), maxLength: 60 }),
      fc.constantFrom('', '<1>', '<999>', '<13>1 ', '<13>Jan  1 00:00:00 '),
      (text, head) => {
        expect(typeof row(head + text)['body']).toBe('string')
      },
    ),
    { numRuns: 500 },
  )
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const texts = (messages: Uint8Array[]): string[] => messages.map((one) => Buffer.from(one).toString())

test('counted and line-ended messages are told apart by their first byte, also in one stream', () => {
  const framing = syslogFraming(100)
  expect(texts(framing.push(bytes('5 <1>ab<2>c\r\n\n7 <3>\nd\ne')))).toEqual(['<1>ab', '<2>c', '<3>\nd\ne'])
  expect(texts([...framing.push(bytes('<4>rest')), ...framing.end()])).toEqual(['<4>rest'])
})

test('however a stream is cut, its messages are the same; one that is too long is cut and costs no other', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', ' ', '{'), minLength: 1, maxLength: 30 }).filter((one) => !/^\d/.test(one))
  const message = fc.oneof(
    text.map((one) => `${one}\n`),
    text.map((one) => `${bytes(one).length} ${one}`),
  )
  const through = (framing: Framing, stream: Uint8Array, sizes: number[]): string[] => {
    const found: string[] = []
    let at = 0
    for (let i = 0; at < stream.length; i += 1) {
      const size = sizes[i % sizes.length] ?? 1
      found.push(...texts(framing.push(stream.subarray(at, at + size))))
      at += size
    }
    return [...found, ...texts(framing.end())]
  }
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (messages, sizes) => {
      const stream = bytes(messages.join(''))
      for (const open of [() => syslogFraming(16), () => lineFraming(16), () => syslogFraming(1000)])
        expect(through(open(), stream, sizes)).toEqual(through(open(), stream, [stream.length + 1]))
    }),
    { numRuns: 200 },
  )
  const framing = lineFraming(4)
  expect(texts(framing.push(bytes('abcdefgh\nij\nklmnopqr')))).toEqual(['abcd', 'ij', 'klmn'])
  expect(texts(framing.push(bytes('st\nuv\n')))).toEqual(['uv'])
  expect(framing.broken).toBe(2)
})
