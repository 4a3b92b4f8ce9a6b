import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MessageReader, type ClientMessage } from '../../../../src/core/scuba/pgwire/messages.ts'

const encoder = new TextEncoder()
const int = (value: number, bytes: 2 | 4): number[] => {
  const view = new DataView(new ArrayBuffer(bytes))
  if (bytes === 2) view.setInt16(0, value)
  else view.setInt32(0, value)
  return [...new Uint8Array(view.buffer)]
}
const text = (value: string): number[] => [...encoder.encode(value), 0]
const message = (type: string, body: number[]): number[] => [type.charCodeAt(0), ...int(body.length + 4, 4), ...body]

const word = fc.string({ unit: 'grapheme', maxLength: 20 }).map((value) => value.replaceAll('\0', ''))
const some = fc.oneof(
  word.map((sql) => ({ bytes: message('Q', text(sql)), message: { type: 'query', sql } as ClientMessage })),
  fc.tuple(word, word, fc.array(fc.nat(4000), { maxLength: 4 })).map(([name, sql, oids]) => ({
    bytes: message('P', [...text(name), ...text(sql), ...int(oids.length, 2), ...oids.flatMap((oid) => int(oid, 4))]),
    message: { type: 'parse', name, sql, parameterTypes: oids } as ClientMessage,
  })),
  fc.tuple(word, fc.array(fc.option(fc.uint8Array({ maxLength: 30 })), { maxLength: 4 })).map(([portal, values]) => ({
    bytes: message('B', [
      ...[...text(portal), ...text(''), ...int(0, 2), ...int(values.length, 2)],
      ...values.flatMap((value) => (value === null ? int(-1, 4) : [...int(value.length, 4), ...value])),
      ...[...int(1, 2), ...int(1, 2)],
    ]),
    message: { type: 'bind', portal, statement: '', formats: [], values, resultFormats: [1] } as ClientMessage,
  })),
  fc.constant({ bytes: message('S', []), message: { type: 'sync' } as ClientMessage }),
)

/** All that a reader gives of bytes that come in these pieces. */
function readAll(bytes: Uint8Array, cuts: readonly number[], bytesMax = 10_000): ClientMessage[] {
  const reader = new MessageReader(bytesMax)
  const read: ClientMessage[] = []
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  let begin = 0
  for (const end of ends) {
    reader.push(bytes.subarray(begin, end))
    begin = end
    for (let next = reader.next(); next !== null; next = reader.next()) read.push(next)
  }
  return read
}

describe('messages of a client', () => {
  it('are the same however their bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 8 }), fc.array(fc.nat(5000), { maxLength: 20 }), (messages, cuts) => {
        const read = readAll(Uint8Array.from(messages.flatMap(({ bytes }) => bytes)), cuts)
        expect(read).toEqual(messages.map((one) => one.message))
      }),
    )
  })

  it('end with the first that is broken, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat(400), { maxLength: 5 }), (bytes, cuts) => {
        const read = readAll(bytes, cuts)
        const broken = read.findIndex(({ type }) => type === 'broken')
        expect(broken === -1 || broken === read.length - 1).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('are refused by their length alone, before their bytes are there', () => {
    const reader = new MessageReader(1000)
    reader.push(Uint8Array.from([0x51, ...int(1001, 4)]))
    expect(reader.next()).toMatchObject({ type: 'broken', reason: expect.stringContaining('1001') })
    reader.push(Uint8Array.from(message('S', [])))
    expect(reader.next()).toBeNull()
  })

  it('do not end before or after their fields do', () => {
    for (const body of [text('a').slice(0, 1), [...text('a'), 7]])
      expect(readAll(Uint8Array.from(message('Q', body)), [])).toMatchObject([{ type: 'broken' }])
  })

  it('begin with a start-up message of at most 10,000 bytes', () => {
    for (const start of [[...int(10_001, 4)], [...int(7, 4)], [...'GET / HTTP/1.1\r\n\r\n'].map((letter) => letter.charCodeAt(0))]) {
      const reader = new MessageReader(1000)
      reader.push(Uint8Array.from(start))
      expect(reader.start()).toMatchObject({ type: 'broken' })
    }
  })
})
