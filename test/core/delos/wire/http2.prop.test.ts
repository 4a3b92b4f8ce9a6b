import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FLAG, FRAME } from '../../../../src/core/delos/wire/http2/frames.ts'
import type * as m from '../../../../src/core/delos/wire/messages.ts'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import type { EtcdService, Reply } from '../../../../src/core/delos/wire/service.ts'
import { frame, HELLO, joined, Peer, prefixed, putRequest, uint32 } from './h2-peer.ts'

const header = { cluster_id: 1n, member_id: 2n, revision: 3, raft_term: 4 }

/** Holds answers back until told, and counts how each call ended. */
function slowService(): {
  service: Partial<EtcdService>
  replies: Reply<m.PutResponse>[]
  calls: { answered: number; cancelled: number }[]
} {
  const replies: Reply<m.PutResponse>[] = []
  const calls: { answered: number; cancelled: number }[] = []
  const service: Partial<EtcdService> = {
    'KV/Put': (_request, _raw, call, reply) => {
      const mine = { answered: 0, cancelled: 0 }
      calls.push(mine)
      call.onCancel(() => (mine.cancelled += 1))
      replies.push((error, response) => {
        if (mine.cancelled === 0) mine.answered += 1
        reply(error, response)
      })
    },
    'Watch/Watch': (_call, sink) => ({
      message: () => void sink.send({ ...METHODS['Watch/Watch'].response.make(), created: true, cancel_reason: 'x'.repeat(100) }),
      halfClosed: () => sink.end(),
      cancelled: () => undefined,
    }),
  }
  return { service, replies, calls }
}

const id = fc.oneof(fc.nat(40), fc.constant(0x7fff_ffff))
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put'), id: fc.nat(20).map((n) => n * 2 + 1), size: fc.nat(400) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('watch'), id: fc.nat(20).map((n) => n * 2 + 1), size: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('frame'),
      type: fc.nat(11),
      flags: fc.nat(255),
      id,
      payload: fc.uint8Array({ maxLength: 40 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('window'), id: fc.nat(21), size: fc.nat(100_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer'), size: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('noise'), payload: fc.uint8Array({ maxLength: 60 }) }) },
)
type Step = { kind: string; id?: number; size?: number; type?: number; flags?: number; payload?: Uint8Array }

function bytesOf(peer: Peer, one: Step): Uint8Array {
  const { kind, id: stream = 0, size = 0, type = 0, flags = 0, payload = new Uint8Array(0) } = one
  if (kind === 'put') return peer.put(stream, 'key', new Uint8Array(size))
  if (kind === 'frame') return frame(type, flags, stream, payload)
  if (kind === 'window') return frame(FRAME.windowUpdate, 0, stream, uint32(size))
  if (kind !== 'watch') return payload
  const open = peer.open(stream, METHODS['Watch/Watch'].path)
  const message = prefixed(Uint8Array.of(0x0a, 2, 0x0a, 0))
  return joined(open, frame(FRAME.data, size === 3 ? FLAG.endStream : 0, stream, joined(...Array.from({ length: size }, () => message))))
}

/** Everything that has to hold of a connection at any time. */
function check(peer: Peer, calls: { answered: number; cancelled: number }[]): void {
  const { http2 } = peer.grpc
  const frames = peer.heard()
  if (http2.isFailed) expect(http2.streams.size).toBe(0)
  if (http2.failure !== '' && frames.length > 0) expect(frames.at(-1)?.type).toBe(FRAME.goAway)
  if (http2.streams.size === 0) expect([http2.queuedBytes, peer.grpc.pendingBytes]).toEqual([0, 0])
  for (const { answered, cancelled } of calls) expect(answered + cancelled).toBeLessThanOrEqual(1)
}

test('whatever frames come, in whatever pieces: whole frames go out, and every call ends once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 400 }), (steps, pieces) => {
      const { service, replies, calls } = slowService()
      const peer = new Peer(service)
      peer.send(HELLO)
      for (const one of steps as Step[]) {
        if (one.kind === 'answer') for (const reply of replies.splice(0, one.size)) reply(null, { header, prev_kv: null })
        else {
          const bytes = bytesOf(peer, one)
          for (let at = 0; at < bytes.length; at += pieces) peer.send(bytes.subarray(at, at + pieces))
        }
        check(peer, calls)
      }
      for (const reply of replies) reply(null, { header, prev_kv: null })
      peer.grpc.http2.closed()
      check(peer, calls)
      for (const call of calls) expect(call.answered + call.cancelled).toBe(1)
    }),
    { numRuns: 2000 },
  )
})

test('any bytes after the preface are borne', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (chunks) => {
      const { service, calls } = slowService()
      const peer = new Peer(service)
      peer.send(HELLO)
      for (const chunk of chunks) peer.send(chunk)
      check(peer, calls)
    }),
    { numRuns: 2000 },
  )
})

test('a good conversation with one byte changed is answered or refused', () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(255), (place, value) => {
      const { service, replies, calls } = slowService()
      const peer = new Peer(service)
      const good = joined(HELLO, ...[1, 3, 5].map((stream) => peer.put(stream, 'key', putRequest('x', new Uint8Array(30)))))
      good[place % good.length] = value
      peer.send(good)
      for (const reply of replies) reply(null, { header, prev_kv: null })
      check(peer, calls)
    }),
    { numRuns: 2000 },
  )
})
