import { bytesOf } from '../../../../src/core/kernel/protobuf/byte-string.ts'
import { ByteWriter } from '../../../../src/core/kernel/protobuf/byte-writer.ts'
import { GrpcConnection, type GrpcLimits } from '../../../../src/core/delos/wire/grpc/connection.ts'
import { routesOf } from '../../../../src/core/delos/wire/grpc/routes.ts'
import { HpackDecoder } from '../../../../src/core/delos/wire/hpack/decoder.ts'
import { HpackEncoder, type HeaderField } from '../../../../src/core/delos/wire/hpack/encoder.ts'
import { ERROR, FLAG, FRAME, PREFACE } from '../../../../src/core/delos/wire/http2/frames.ts'
import { HTTP2_LIMITS } from '../../../../src/core/delos/wire/http2/limits.ts'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import type { EtcdService } from '../../../../src/core/delos/wire/service.ts'
import { encode } from './etcd-proto.ts'

export interface Frame {
  type: number
  flags: number
  id: number
  payload: Uint8Array
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array | readonly number[] = []): Uint8Array {
  const { length } = payload
  return Uint8Array.from([length >>> 16, length >>> 8, length, type, flags, id >>> 24, id >>> 16, id >>> 8, id, ...payload])
}

export const uint32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]

export const joined = (...parts: (Uint8Array | readonly number[])[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

export const PREFACE_BYTES = bytesOf(PREFACE)
export const HELLO = joined(PREFACE_BYTES, frame(FRAME.settings, 0, 0))

/** The whole frames in these bytes; throws if they end within one. */
export function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length;) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at)
    const end = at + 9 + (view.getUint32(0) >>> 8)
    if (end > bytes.length) throw new Error('output ends within a frame')
    frames.push({ type: view.getUint8(3), flags: view.getUint8(4), id: view.getUint32(5), payload: bytes.slice(at + 9, end) })
    at = end
  }
  return frames
}

/** A gRPC connection of ours with a client at the other end that sends exactly the bytes a test wants. */
export class Peer {
  readonly grpc: GrpcConnection
  now = 0
  private readonly encoder = new HpackEncoder()
  private readonly decoder = new HpackDecoder<string[]>(4096, 65_536, (fields) => [...fields])

  constructor(service: Partial<EtcdService>, limits: Partial<GrpcLimits> = {}) {
    this.grpc = new GrpcConnection(
      {
        limits: { ...HTTP2_LIMITS, requestBytesMax: 1_572_864, ...limits },
        routes: routesOf(service, () => true),
        peer: 'test',
        commonName: '',
        onOutput: () => undefined,
      },
      { calls: 0, errors: 0, cancelled: 0, deadlines: 0 },
    )
  }

  send(...parts: (Uint8Array | readonly number[])[]): void {
    this.grpc.receive(joined(...parts), this.now)
  }

  /** What the server says since the last time. */
  heard(): Frame[] {
    return framesOf(joined(...this.grpc.http2.takeOutput()))
  }

  /** Frames of the server without its settings and windows. */
  said(): Frame[] {
    return this.heard().filter(({ type }) => type !== FRAME.settings && type !== FRAME.windowUpdate)
  }

  /** The fields of a HEADERS frame; blocks have to be read in their order. */
  fields({ payload }: Frame): Record<string, string> {
    const flat = this.decoder.decode(payload, 0, payload.length)
    if (flat === null) throw new Error('the server sent a block that cannot be decoded')
    return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] as string]] : [])))
  }

  block(path: string, more: Record<string, string> = {}): Uint8Array {
    const pairs = { ':method': 'POST', ':scheme': 'http', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...more }
    const fields = Object.entries(pairs).map(([name, value]): HeaderField => ({ name, value, isKept: false }))
    const writer = new ByteWriter(64)
    this.encoder.encode(writer, fields)
    return writer.take().slice()
  }

  open(id: number, path: string, more: Record<string, string> = {}, flags = 0): Uint8Array {
    return frame(FRAME.headers, FLAG.endHeaders | flags, id, this.block(path, more))
  }

  put(id: number, key = 'key', value: Uint8Array = new Uint8Array(0)): Uint8Array {
    return joined(this.open(id, METHODS['KV/Put'].path), frame(FRAME.data, FLAG.endStream, id, prefixed(putRequest(key, value))))
  }

  /** The code of the GOAWAY that ended the connection. */
  goAway(): number | null {
    const last = this.heard().find(({ type }) => type === FRAME.goAway)
    return last === undefined ? null : new DataView(last.payload.buffer).getUint32(4)
  }
}

export const putRequest = (key: string, value: Uint8Array): Uint8Array =>
  encode(METHODS['KV/Put'].request, { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false })

export const prefixed = (message: Uint8Array): Uint8Array => joined([0, ...uint32(message.length)], message)

export const nameOf = (code: number | null): string => Object.entries(ERROR).find(([, value]) => value === code)?.[0] ?? String(code)
