import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkedBody, LengthBody } from '../../../src/agent/mesh/http1/body.ts'
import { isHeadRefusal, parseRequestHead } from '../../../src/agent/mesh/http1/request-head.ts'
import { parseResponseHead } from '../../../src/agent/mesh/http1/response-head.ts'

/** Feeds `bytes` cut at `cuts`; gives the content, whether it ended, and how many bytes belonged to it; −1 when broken. */
function follow(body: ChunkedBody | LengthBody, bytes: Buffer, cuts: number[]): { isDone: boolean; used: number } {
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  let at = 0
  for (const end of ends) {
    const piece = bytes.subarray(at, end)
    const used = body.follow(piece, 0)
    if (used < 0) return { isDone: false, used: -1 }
    at += used
    if (body.isDone) break
  }
  return { isDone: body.isDone, used: at }
}

const cuts = fc.array(fc.nat(), { maxLength: 30 })
const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 })
const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/)
const value = fc.stringMatching(/^[!-~]([ -~]{0,40}[!-~])?$/)

function encode(parts: Uint8Array[], trailer: string): Buffer {
  const bodies = parts.map((part) => Buffer.concat([Buffer.from(`${part.length.toString(16)};x=1\r\n`), part, Buffer.from('\r\n')]))
  return Buffer.concat([...bodies, Buffer.from(`0\r\n${trailer}\r\n`)])
}

describe('a body', () => {
  it('in chunks is understood alike however its bytes are cut, and takes no byte of the next request', () => {
    fc.assert(
      fc.property(chunks, cuts, fc.boolean(), (parts, where, hasTrailer) => {
        const bytes = encode(parts, hasTrailer ? 'x-sum: 1\r\n' : '')
        const content: Buffer[] = []
        const body = new ChunkedBody((buf, start, end) => content.push(Buffer.from(buf.subarray(start, end))))
        expect(follow(body, Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n')]), where)).toEqual({ isDone: true, used: bytes.length })
        expect(Buffer.concat(content).equals(Buffer.concat(parts))).toBe(true)
      }),
    )
  })

  it('in chunks with one byte broken is judged alike however its bytes are cut', () => {
    fc.assert(
      fc.property(chunks, cuts, fc.nat(), fc.constantFrom(0, 10, 13, 45, 120), (parts, where, at, byte) => {
        const bytes = encode(parts, '')
        bytes[at % bytes.length] = byte
        const whole = follow(new ChunkedBody(), bytes, [])
        expect(follow(new ChunkedBody(), bytes, where)).toEqual(whole)
      }),
    )
  })

  it('of a known length ends exactly there', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.nat(500), cuts, (length, more, where) => {
        const body = new LengthBody(length)
        if (length > 0) expect(follow(body, Buffer.alloc(length + more), where)).toEqual({ isDone: true, used: length })
        else expect(body.isDone).toBe(true)
      }),
    )
  })
})

describe('a head', () => {
  it('of valid fields is read back as it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 10 }), (fields) => {
        const others = fields.filter(
          ([key]) => !['host', 'content-length', 'transfer-encoding', 'connection', 'expect', 'upgrade'].includes(key.toLowerCase()),
        )
        const head = parseRequestHead(`GET /a?b=1 HTTP/1.1\r\nHost: web\r\n${others.map(([key, text]) => `${key}: ${text}\r\n`).join('')}`)
        if (isHeadRefusal(head)) throw new Error(head.text)
        expect(head.path).toBe('/a')
        expect(head.fields.names.slice(1).map(({ raw }, i) => [raw, head.fields.values[i + 1]])).toEqual(others)
      }),
    )
  })

  it('of any bytes is judged, never crashed on, and never yields a line break', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const latin1 = Buffer.from(`GET / HTTP/1.1\r\nHost: web\r\n${text}\r\n`, 'utf8').toString('latin1')
        const head = parseRequestHead(latin1)
        if (!isHeadRefusal(head)) for (const field of head.fields.values) expect(field).not.toMatch(/[\r\n\0]/)
        parseResponseHead(`HTTP/1.1 200 OK\r\n${text}\r\n`)
      }),
    )
  })
})
