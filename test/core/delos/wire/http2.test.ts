import { describe, expect, test } from 'vitest'
import { ERROR, FLAG, FRAME } from '../../../../src/core/delos/wire/http2/frames.ts'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import { decode } from '../../../../src/core/kernel/protobuf/codec.ts'
import type { EtcdService, Reply } from '../../../../src/core/delos/wire/service.ts'
import type * as m from '../../../../src/core/delos/wire/messages.ts'
import { encode } from './etcd-proto.ts'
import { frame, HELLO, joined, nameOf, Peer, PREFACE_BYTES, prefixed, putRequest, uint32 } from './h2-peer.ts'

const header = { cluster_id: 1n, member_id: 2n, revision: 3, raft_term: 4 }
const PUT = METHODS['KV/Put'].path

/** Answers every put at once. */
const echo: Partial<EtcdService> = { 'KV/Put': (_request, _raw, _call, reply) => reply(null, { header, prev_kv: null }) }

function connected(service: Partial<EtcdService> = echo, limits = {}): Peer {
  const peer = new Peer(service, limits)
  peer.send(HELLO)
  peer.heard()
  return peer
}

/** A service that answers ranges with this many bytes of one value. */
const big = (bytes: number): Partial<EtcdService> => ({
  'KV/Range': (_request, _raw, _call, reply) => {
    const kv = { key: 'k', create_revision: 1, mod_revision: 1, version: 1, value: new Uint8Array(bytes).fill(7), lease: 0n }
    reply(null, { header, kvs: [kv], more: false, count: 1 })
  },
})
const get = (peer: Peer, id: number): Uint8Array =>
  joined(peer.open(id, METHODS['KV/Range'].path), frame(FRAME.data, FLAG.endStream, id, prefixed(Uint8Array.of(0x0a, 1, 0x6b))))

const dataBytes = (frames: { type: number; payload: Uint8Array }[]): number =>
  frames.filter(({ type }) => type === FRAME.data).reduce((sum, { payload }) => sum + payload.length, 0)

describe('a call', () => {
  test('is answered by headers, one message and trailers that end the stream', () => {
    const peer = connected()
    peer.send(peer.put(1))
    const [first, second, third] = peer.said()
    expect(peer.fields(first!)).toEqual({ ':status': '200', 'content-type': 'application/grpc' })
    expect(decode(METHODS['KV/Put'].response, second!.payload.slice(5))).toEqual({ header, prev_kv: null })
    expect(peer.fields(third!)).toEqual({ 'grpc-status': '0' })
    expect(third!.flags & FLAG.endStream).toBe(FLAG.endStream)
    expect(peer.grpc.http2.streams.size).toBe(0)
  })

  test('may come in any pieces, down to single bytes', () => {
    for (const size of [1, 2, 3, 8, 9, 10, 100]) {
      const peer = new Peer(echo)
      const bytes = joined(HELLO, peer.put(1), peer.put(3, 'key', new Uint8Array(500)), peer.put(5))
      for (let at = 0; at < bytes.length; at += size) peer.send(bytes.subarray(at, at + size))
      expect(peer.said().filter(({ type }) => type === FRAME.data)).toHaveLength(3)
    }
  })

  test('may be split over DATA frames anywhere, with padding and empty frames between', () => {
    const got: Uint8Array[] = []
    const peer = connected({ 'KV/Put': (request) => void got.push(request.value) })
    const value = Uint8Array.from({ length: 300 }, (_, i) => i)
    const message = prefixed(putRequest('key', value))
    for (let cut = 0; cut <= 12; cut += 1) {
      const id = 1 + cut * 2
      const padded = joined([3], message.subarray(0, cut), [0, 0, 0])
      peer.send(
        peer.open(id, PUT),
        frame(FRAME.data, FLAG.padded, id, padded),
        frame(FRAME.data, 0, id),
        frame(FRAME.data, 0, id, message.subarray(cut)),
      )
      peer.send(frame(FRAME.data, FLAG.endStream, id))
    }
    expect(got).toHaveLength(13)
    for (const one of got) expect(one).toEqual(value)
  })

  test('has one message; several in one frame are a stream’s', () => {
    const seen: string[] = []
    const peer = connected({
      ...echo,
      'Lease/LeaseKeepAlive': () => ({
        message: ({ ID }) => void seen.push(`message ${ID}`),
        halfClosed: () => void seen.push('half closed'),
        cancelled: () => void seen.push('cancelled'),
      }),
    })
    const three = joined(...[1, 2, 3].map((id) => prefixed(Uint8Array.of(0x08, id))))
    peer.send(peer.open(1, METHODS['Lease/LeaseKeepAlive'].path), frame(FRAME.data, FLAG.endStream, 1, three))
    expect(seen).toEqual(['message 1', 'message 2', 'message 3', 'half closed'])
    peer.send(
      peer.open(3, PUT),
      frame(FRAME.data, FLAG.endStream, 3, joined(prefixed(putRequest('a', three)), prefixed(putRequest('b', three)))),
    )
    expect(peer.fields(peer.said()[0]!)['grpc-status']).toBe('13')
  })

  test('a header block may go on in CONTINUATION', () => {
    const peer = connected()
    const block = peer.block(PUT, { 'x-long': 'y'.repeat(3000) })
    const message = prefixed(putRequest('key', new Uint8Array(1)))
    peer.send(frame(FRAME.headers, 0, 1, block.subarray(0, 10)), frame(FRAME.continuation, 0, 1, block.subarray(10, 2000)))
    peer.send(frame(FRAME.continuation, FLAG.endHeaders, 1, block.subarray(2000)), frame(FRAME.data, FLAG.endStream, 1, message))
    expect(peer.fields(peer.said()[0]!)[':status']).toBe('200')
  })

  test('with priority and padding in its HEADERS is a call all the same', () => {
    const peer = connected()
    const payload = joined([4], uint32(0), [16], peer.block(PUT), [0, 0, 0, 0])
    peer.send(frame(FRAME.headers, FLAG.endHeaders | FLAG.padded | FLAG.priority, 1, payload))
    peer.send(frame(FRAME.data, FLAG.endStream, 1, prefixed(putRequest('key', new Uint8Array(1)))))
    expect(peer.fields(peer.said()[0]!)[':status']).toBe('200')
  })

  test('an answer that comes after the caller has gone is passed over', () => {
    let late: Reply<m.PutResponse> = () => undefined
    let cancelled = 0
    const peer = connected({
      'KV/Put': (_request, _raw, call, reply) => {
        late = reply
        call.onCancel(() => (cancelled += 1))
      },
    })
    peer.send(peer.put(1), frame(FRAME.resetStream, 0, 1, uint32(ERROR.cancel)))
    expect(cancelled).toBe(1)
    late(null, { header, prev_kv: null })
    expect(peer.said()).toEqual([])
  })

  test('runs into its deadline: status 4, and its handler hears of it', () => {
    let cancelled = 0
    const peer = connected({ 'KV/Put': (_request, _raw, call) => call.onCancel(() => (cancelled += 1)) })
    peer.send(
      peer.open(1, PUT, { 'grpc-timeout': '100m' }),
      frame(FRAME.data, FLAG.endStream, 1, prefixed(putRequest('a', new Uint8Array(1)))),
    )
    peer.grpc.tick(99)
    expect([cancelled, peer.said().length]).toEqual([0, 0])
    peer.grpc.tick(100)
    expect(peer.fields(peer.said()[0]!)).toMatchObject({ 'grpc-status': '4', 'grpc-message': 'context deadline exceeded' })
    expect(cancelled).toBe(1)
  })

  test.each([
    ['gzip', {}, { 'grpc-encoding': 'gzip' }, '12', 'grpc: Decompressor is not installed for grpc-encoding "gzip"'],
    ['an unreadable timeout', {}, { 'grpc-timeout': '5 minutes' }, '13', 'malformed grpc-timeout'],
    ['a method nobody has', { path: '/etcdserverpb.KV/Nope' }, {}, '12', 'unknown method Nope for service etcdserverpb.KV'],
    ['a method left out', { path: METHODS['KV/Txn'].path }, {}, '12', 'unknown method Txn for service etcdserverpb.KV'],
  ])('%s is refused by trailers alone', (_name, { path = PUT }: { path?: string }, more, status, text) => {
    const peer = connected()
    peer.send(peer.open(1, path, more))
    const [only, reset] = peer.said()
    expect(only!.flags & FLAG.endStream).toBe(FLAG.endStream)
    expect(peer.fields(only!)).toEqual({
      ':status': '200',
      'content-type': 'application/grpc',
      'grpc-status': status,
      'grpc-message': text,
    })
    expect([reset!.type, reset!.payload]).toEqual([FRAME.resetStream, Uint8Array.of(0, 0, 0, ERROR.none)])
  })

  test('a request over the bound gets etcd’s text, and one far over it is broken off', () => {
    const peer = connected(echo, { requestBytesMax: 1000 })
    peer.send(peer.put(1, 'key', new Uint8Array(2000)))
    expect(peer.fields(peer.said()[0]!)).toMatchObject({ 'grpc-status': '3', 'grpc-message': 'etcdserver: request is too large' })
    peer.send(peer.open(3, PUT), frame(FRAME.data, 0, 3, [0, ...uint32(600_000)]))
    expect(peer.fields(peer.said()[0]!)).toMatchObject({
      'grpc-status': '8',
      'grpc-message': 'grpc: received message larger than max (600000 vs. 525288)',
    })
  })

  test('a text that is not ASCII is percent-encoded', () => {
    const peer = connected({ 'KV/Put': (_request, _raw, _call, reply) => reply({ code: 9, text: 'schön 100 %\n' }, null) })
    peer.send(peer.put(1))
    expect(peer.fields(peer.said()[0]!)['grpc-message']).toBe('sch%C3%B6n 100 %25%0A')
  })
})

describe('flow control', () => {
  test('an answer larger than the windows waits for them, and no other stream waits with it', () => {
    const peer = connected({ ...echo, ...big(200_000) })
    peer.send(frame(FRAME.windowUpdate, 0, 0, uint32(10_000_000)))
    peer.send(get(peer, 1))
    expect(dataBytes(peer.said())).toBe(65_535)
    peer.send(peer.put(3))
    expect(peer.said().map(({ id }) => id)).toEqual([3, 3, 3])
    peer.send(frame(FRAME.windowUpdate, 0, 1, uint32(100_000)))
    expect(dataBytes(peer.said())).toBe(100_000)
    peer.send(frame(FRAME.windowUpdate, 0, 1, uint32(1_000_000)))
    const rest = peer.said()
    expect(dataBytes(rest)).toBeGreaterThan(34_000)
    expect(rest.at(-1)!.flags & FLAG.endStream).toBe(FLAG.endStream)
    expect(peer.grpc.http2.queuedBytes).toBe(0)
  })

  test('a stream that is reset lets go of what it had waiting', () => {
    const peer = connected(big(200_000))
    peer.send(get(peer, 1), get(peer, 3))
    expect(peer.grpc.http2.queuedBytes).toBeGreaterThan(300_000)
    peer.send(frame(FRAME.resetStream, 0, 1, uint32(ERROR.cancel)), frame(FRAME.resetStream, 0, 3, uint32(ERROR.cancel)))
    expect(peer.grpc.http2.queuedBytes).toBe(0)
    peer.heard()
    peer.send(frame(FRAME.windowUpdate, 0, 0, uint32(1_000_000)))
    expect(peer.said()).toEqual([])
  })

  test('the connection’s window is shared in turns', () => {
    const peer = connected(big(100_000))
    peer.send(frame(FRAME.settings, 0, 0, [0, 4, ...uint32(1_000_000)]))
    peer.send(get(peer, 1), get(peer, 3))
    expect(dataBytes(peer.said())).toBe(65_535)
    peer.send(frame(FRAME.windowUpdate, 0, 0, uint32(65_536)))
    const ids = peer
      .said()
      .filter(({ type }) => type === FRAME.data)
      .map(({ id }) => id)
    expect(new Set(ids)).toEqual(new Set([1, 3]))
    peer.send(frame(FRAME.windowUpdate, 0, 0, uint32(1_000_000)))
    expect(peer.said().filter(({ flags, type }) => type === FRAME.headers && (flags & FLAG.endStream) !== 0)).toHaveLength(2)
  })

  test('a smaller initial window makes open windows negative, and they have to be filled first', () => {
    const peer = connected(big(200_000))
    peer.send(frame(FRAME.windowUpdate, 0, 0, uint32(10_000_000)), get(peer, 1))
    peer.heard()
    peer.send(frame(FRAME.settings, 0, 0, [0, 4, ...uint32(0)]), frame(FRAME.windowUpdate, 0, 1, uint32(65_535)))
    expect(dataBytes(peer.said())).toBe(0)
    peer.send(frame(FRAME.windowUpdate, 0, 1, uint32(10)))
    expect(dataBytes(peer.said())).toBe(10)
  })

  test('a sender is told to wait, and told when there is room', () => {
    let ready = 0
    const results: boolean[] = []
    const peer = connected({
      'Maintenance/Snapshot': (_call, sink) => {
        sink.onReady(() => (ready += 1))
        const blob = new Uint8Array(100_000)
        return {
          message: () => {
            for (let i = 0; i < 5; i += 1) results.push(sink.send({ header, remaining_bytes: 0, blob }))
          },
          halfClosed: () => undefined,
          cancelled: () => undefined,
        }
      },
    })
    peer.send(frame(FRAME.windowUpdate, 0, 0, uint32(10_000_000)))
    peer.send(peer.open(1, METHODS['Maintenance/Snapshot'].path), frame(FRAME.data, FLAG.endStream, 1, prefixed(new Uint8Array(0))))
    expect(results).toEqual([true, true, true, false, false])
    peer.send(frame(FRAME.windowUpdate, 0, 1, uint32(200_000)))
    expect(ready).toBe(0)
    // The socket takes what there is, before there is more.
    peer.heard()
    peer.send(frame(FRAME.windowUpdate, 0, 1, uint32(200_000)))
    expect(ready).toBe(1)
  })

  test('a message that is encoded already is sent as it is; after the end nothing is', () => {
    const results: boolean[] = []
    const { response } = METHODS['Lease/LeaseKeepAlive']
    const message = { header, ID: 7n, TTL: 3 }
    const peer = connected({
      'Lease/LeaseKeepAlive': (_call, sink) => ({
        message: () => {
          results.push(sink.send(message), sink.sendEncoded(encode(response, message)))
          sink.end()
          results.push(sink.send(message), sink.sendEncoded(encode(response, message)))
          sink.end({ code: 13, text: 'too late' })
        },
        halfClosed: () => undefined,
        cancelled: () => results.push(false),
      }),
    })
    peer.send(peer.open(1, METHODS['Lease/LeaseKeepAlive'].path), frame(FRAME.data, 0, 1, prefixed(Uint8Array.of(0x08, 7))))
    expect(results).toEqual([true, true, false, false])
    const [, first, second, trailers, reset] = peer.said()
    expect(second!.payload).toEqual(first!.payload)
    expect(decode(response, first!.payload.slice(5))).toEqual(message)
    expect([trailers!.flags & FLAG.endStream, reset!.type]).toEqual([FLAG.endStream, FRAME.resetStream])
  })

  test('what a peer may send is widened as it is taken in', () => {
    const peer = connected(echo, { streamWindowBytes: 65_535, connectionWindowBytes: 100_000 })
    let sent = 0
    let [stream, connection] = [0, 0]
    peer.send(peer.open(1, PUT))
    peer.send(frame(FRAME.data, 0, 1, [0, ...uint32(1_000_000)]))
    while (sent < 1_000_000) {
      const size = Math.min(10_000, 1_000_000 - sent)
      peer.send(frame(FRAME.data, 0, 1, new Uint8Array(size)))
      sent += size
      for (const { id, payload } of peer.heard().filter(({ type }) => type === FRAME.windowUpdate)) {
        const increment = new DataView(payload.buffer).getUint32(0)
        if (id === 0) connection += increment
        else stream += increment
      }
      expect(sent - stream).toBeLessThan(65_535)
      expect(sent - connection).toBeLessThan(100_000)
    }
  })
})

describe('the peer breaks the rules', () => {
  const cases: [string, (peer: Peer) => Uint8Array, number][] = [
    ['another first frame than SETTINGS', () => joined(PREFACE_BYTES, frame(FRAME.ping, 0, 0, new Uint8Array(8))), ERROR.protocol],
    ['another preface', () => new TextEncoder().encode('PRI * HTTP/1.1\r\n\r\n'), ERROR.protocol],
    ['a frame over 16 KiB', () => joined(HELLO, frame(FRAME.data, 0, 1, new Uint8Array(16_385))), ERROR.frameSize],
    ['DATA on a stream never opened', () => joined(HELLO, frame(FRAME.data, 0, 1, [1])), ERROR.protocol],
    ['DATA without a stream', () => joined(HELLO, frame(FRAME.data, 0, 0, [1])), ERROR.protocol],
    ['HEADERS on an even stream', (peer) => joined(HELLO, peer.open(2, PUT)), ERROR.protocol],
    ['more padding than data', (peer) => joined(HELLO, peer.open(1, PUT), frame(FRAME.data, FLAG.padded, 1, [9, 1])), ERROR.protocol],
    ['padding without its length', (peer) => joined(HELLO, peer.open(1, PUT), frame(FRAME.data, FLAG.padded, 1)), ERROR.protocol],
    [
      'a block that is interrupted',
      (peer) => joined(HELLO, frame(FRAME.headers, 0, 1, peer.block(PUT)), frame(FRAME.ping, 0, 0, new Uint8Array(8))),
      ERROR.protocol,
    ],
    ['CONTINUATION without a block', () => joined(HELLO, frame(FRAME.continuation, FLAG.endHeaders, 1)), ERROR.protocol],
    ['a block that cannot be decoded', () => joined(HELLO, frame(FRAME.headers, FLAG.endHeaders, 1, [0xff, 0xff])), ERROR.compression],
    ['PUSH_PROMISE', () => joined(HELLO, frame(FRAME.pushPromise, 0, 1, uint32(2))), ERROR.protocol],
    ['SETTINGS of 5 bytes', () => joined(HELLO, frame(FRAME.settings, 0, 0, [0, 1, 0, 0, 0])), ERROR.frameSize],
    ['SETTINGS acknowledged with content', () => joined(HELLO, frame(FRAME.settings, FLAG.ack, 0, [0, 1, 0, 0, 0, 0])), ERROR.frameSize],
    ['SETTINGS on a stream', () => joined(HELLO, frame(FRAME.settings, 0, 1)), ERROR.protocol],
    [
      'a window over 2^31 - 1 in SETTINGS',
      () => joined(HELLO, frame(FRAME.settings, 0, 0, [0, 4, ...uint32(0x8000_0000)])),
      ERROR.flowControl,
    ],
    ['a frame size under 16 KiB in SETTINGS', () => joined(HELLO, frame(FRAME.settings, 0, 0, [0, 5, ...uint32(100)])), ERROR.protocol],
    ['ENABLE_PUSH 2', () => joined(HELLO, frame(FRAME.settings, 0, 0, [0, 2, ...uint32(2)])), ERROR.protocol],
    ['PING of 7 bytes', () => joined(HELLO, frame(FRAME.ping, 0, 0, new Uint8Array(7))), ERROR.frameSize],
    ['PING on a stream', () => joined(HELLO, frame(FRAME.ping, 0, 1, new Uint8Array(8))), ERROR.protocol],
    ['WINDOW_UPDATE of nothing', () => joined(HELLO, frame(FRAME.windowUpdate, 0, 0, uint32(0))), ERROR.protocol],
    ['WINDOW_UPDATE over 2^31 - 1', () => joined(HELLO, frame(FRAME.windowUpdate, 0, 0, uint32(0x7fff_ffff))), ERROR.flowControl],
    ['WINDOW_UPDATE on a stream never opened', () => joined(HELLO, frame(FRAME.windowUpdate, 0, 7, uint32(1))), ERROR.protocol],
    ['RST_STREAM on a stream never opened', () => joined(HELLO, frame(FRAME.resetStream, 0, 7, uint32(1))), ERROR.protocol],
    ['RST_STREAM of 3 bytes', (peer) => joined(HELLO, peer.open(1, PUT), frame(FRAME.resetStream, 0, 1, [0, 0, 0])), ERROR.frameSize],
    ['PRIORITY on itself', () => joined(HELLO, frame(FRAME.priority, 0, 3, [...uint32(3), 1])), ERROR.protocol],
    ['GOAWAY of 7 bytes', () => joined(HELLO, frame(FRAME.goAway, 0, 0, new Uint8Array(7))), ERROR.frameSize],
  ]
  test.each(cases)('%s: GOAWAY with the code of the RFC', (_name, bytes, code) => {
    const peer = new Peer(echo)
    peer.send(bytes(peer))
    expect(nameOf(peer.goAway())).toBe(nameOf(code))
    expect(peer.grpc.http2.isFailed).toBe(true)
    // Whatever comes now is passed over.
    peer.send(HELLO)
    expect(peer.heard()).toEqual([])
  })

  const streamCases: [string, (peer: Peer) => Uint8Array, number][] = [
    [
      'DATA after its end',
      (peer) => joined(peer.open(1, METHODS['Watch/Watch'].path, {}, FLAG.endStream), frame(FRAME.data, 0, 1, [1])),
      ERROR.streamClosed,
    ],
    ['trailers that do not end it', (peer) => joined(peer.open(1, PUT), peer.open(1, PUT)), ERROR.protocol],
    ['WINDOW_UPDATE of nothing', (peer) => joined(peer.open(1, PUT), frame(FRAME.windowUpdate, 0, 1, uint32(0))), ERROR.protocol],
    [
      'a window over 2^31 - 1',
      (peer) => joined(peer.open(1, PUT), frame(FRAME.windowUpdate, 0, 1, uint32(0x7fff_ffff))),
      ERROR.flowControl,
    ],
    ['a name in capitals', (peer) => peer.open(1, PUT, { 'X-Capital': '1' }), ERROR.protocol],
    ['a pseudo field after the others', (peer) => peer.open(1, PUT, { ':authority': 'x' }), ERROR.protocol],
    ['a field about the connection', (peer) => peer.open(1, PUT, { connection: 'close' }), ERROR.protocol],
  ]
  test.each(streamCases)('%s: the stream is reset, the connection goes on', (_name, bytes, code) => {
    const peer = connected({
      ...echo,
      'Watch/Watch': () => ({ message: () => undefined, halfClosed: () => undefined, cancelled: () => undefined }),
    })
    peer.send(bytes(peer))
    const reset = peer.said().find(({ type }) => type === FRAME.resetStream)
    expect(nameOf(reset?.payload[3] ?? null)).toBe(nameOf(code))
    peer.send(peer.put(9))
    expect(peer.said().map(({ id }) => id)).toEqual([9, 9, 9])
  })

  test('more data than the stream’s window resets it; more than the connection’s ends it', () => {
    const peer = connected(echo, { streamWindowBytes: 1000, connectionWindowBytes: 65_535 })
    // A window is widened at half of it, so one frame over all of it breaks the rule.
    peer.send(peer.open(1, PUT), frame(FRAME.data, 0, 1, new Uint8Array(1001)))
    expect(nameOf(peer.said()[0]!.payload[3]!)).toBe('flowControl')
    const other = connected(echo, { streamWindowBytes: 1_000_000, connectionWindowBytes: 10_000 })
    other.send(other.open(1, PUT), frame(FRAME.data, 0, 1, new Uint8Array(10_001)))
    expect(nameOf(other.goAway())).toBe('flowControl')
  })
})

describe('bounds', () => {
  const ping = frame(FRAME.ping, 0, 0, new Uint8Array(8))

  test('1,000 control frames a second without a call are borne, one more is not', () => {
    const peer = connected()
    peer.now = 5000
    for (let i = 0; i < 1000; i += 1) peer.send(ping)
    expect(peer.goAway()).toBeNull()
    peer.now = 6000
    for (let i = 0; i < 1000; i += 1) peer.send(ping)
    expect(peer.goAway()).toBeNull()
    peer.send(ping)
    expect(nameOf(peer.goAway())).toBe('enhanceYourCalm')
  })

  test('control frames that answer our data are not counted: grpc-go pings and widens windows for each', () => {
    const peer = connected()
    for (let i = 0; i < 3000; i += 1) {
      peer.send(peer.put(1 + i * 2), ping, frame(FRAME.windowUpdate, 0, 0, uint32(40)))
    }
    expect(peer.goAway()).toBeNull()
  })

  test('streams opened and reset at once end the connection after 200 a second', () => {
    let started = 0
    const peer = connected({ 'KV/Put': () => void (started += 1) })
    for (let i = 0; i < 1000; i += 1) peer.send(peer.put(1 + i * 2), frame(FRAME.resetStream, 0, 1 + i * 2, uint32(ERROR.cancel)))
    expect(nameOf(peer.goAway())).toBe('enhanceYourCalm')
    expect(started).toBe(201)
  })

  test('a thousand long-lived streams may be reset at once', () => {
    const peer = connected({ 'KV/Put': () => undefined })
    for (let i = 0; i < 1000; i += 1) peer.send(peer.put(1 + i * 2))
    peer.now = 2000
    for (let i = 0; i < 1000; i += 1) peer.send(frame(FRAME.resetStream, 0, 1 + i * 2, uint32(ERROR.cancel)))
    expect(peer.goAway()).toBeNull()
    expect(peer.grpc.http2.streams.size).toBe(0)
    expect(peer.grpc.pendingBytes).toBe(0)
  })

  test('more streams than allowed are refused, and may be tried again', () => {
    const peer = connected({ 'KV/Put': () => undefined }, { streamsMax: 2 })
    peer.send(peer.put(1), peer.put(3), peer.put(5))
    const [refused] = peer.said()
    expect([refused!.id, refused!.type, refused!.payload[3]]).toEqual([5, FRAME.resetStream, ERROR.refusedStream])
  })

  test('a header list over 64 KiB ends the connection, in one frame or in many', () => {
    const peer = connected()
    const long = peer.block(PUT, { 'x-long': '\0'.repeat(66_000) })
    for (let at = 0; at < long.length; at += 16_000) {
      const flags = at + 16_000 >= long.length ? FLAG.endHeaders : 0
      peer.send(frame(at === 0 ? FRAME.headers : FRAME.continuation, flags, 1, long.subarray(at, at + 16_000)))
    }
    expect(nameOf(peer.goAway())).toBe('enhanceYourCalm')
    const bomb = connected()
    const kept = joined([0x40, 1, 0x61, 0x7f, ...[0xa1, 0x1e]], new Uint8Array(4000))
    bomb.send(frame(FRAME.headers, FLAG.endHeaders, 1, joined(kept, new Uint8Array(30).fill(0xbe))))
    expect(nameOf(bomb.goAway())).toBe('enhanceYourCalm')
  })

  test('an endless block of empty CONTINUATION frames ends the connection', () => {
    const peer = connected()
    peer.send(frame(FRAME.headers, 0, 1, peer.block(PUT)))
    for (let i = 0; i < 1001; i += 1) peer.send(frame(FRAME.continuation, 0, 1))
    expect(nameOf(peer.goAway())).toBe('enhanceYourCalm')
  })
})

describe('the end', () => {
  test('after shutting down, what is open finishes and nothing new begins', () => {
    const replies: Reply<m.PutResponse>[] = []
    const peer = connected({ 'KV/Put': (_request, _raw, _call, reply) => void replies.push(reply) })
    peer.send(peer.put(1))
    peer.grpc.shutDown()
    expect(nameOf(peer.goAway())).toBe('none')
    peer.send(peer.put(3))
    expect(peer.said().map(({ id, type }) => [id, type])).toEqual([[3, FRAME.resetStream]])
    replies[0]!(null, { header, prev_kv: null })
    expect(peer.said()).toHaveLength(3)
    expect(peer.grpc.http2.streams.size).toBe(0)
  })

  test('when the connection is gone, every handler hears of it once', () => {
    let cancelled = 0
    const peer = connected({ 'KV/Put': (_request, _raw, call) => call.onCancel(() => (cancelled += 1)) })
    peer.send(peer.put(1), peer.put(3))
    peer.grpc.http2.closed()
    peer.grpc.http2.closed()
    expect(cancelled).toBe(2)
  })
})
