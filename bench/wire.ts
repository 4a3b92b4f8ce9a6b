import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { ByteWriter } from '../src/core/kernel/protobuf/byte-writer.ts'
import { HpackEncoder } from '../src/core/delos/wire/hpack/encoder.ts'
import { FLAG, FRAME, FRAME_HEADER_BYTES, PREFACE } from '../src/core/delos/wire/http2/frames.ts'
import { METHODS } from '../src/core/delos/wire/methods.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { median } from './lib/quantile.ts'

/*
 * What a put costs the server on the wire alone: CPU of a process that answers puts over gRPC and stores nothing, kernel and garbage
 * collection included. The load comes from here, in frames that a client of grpc-go would send. $MUSTER_BENCH_SECONDS: length of a round.
 */

const ROUNDS = 5
const SECONDS = Number(process.env['MUSTER_BENCH_SECONDS'] ?? 1)
const VALUE = new Uint8Array(256).fill(0x76)
const figure = figuresOf('wire')

const HEAD = Object.entries({
  ':method': 'POST',
  ':scheme': 'http',
  ':path': METHODS['KV/Put'].path,
  ':authority': '127.0.0.1:2379',
  'content-type': 'application/grpc',
  'user-agent': 'grpc-go/1.26.0',
  te: 'trailers',
}).map(([name, value]) => ({ name, value, isKept: true }))

export async function* run(): AsyncGenerator<Figure> {
  const server = fork(join(import.meta.dirname, 'lib/http-etcd-echo.ts'))
  try {
    const [{ port }] = (await once(server, 'message')) as [{ port: number }]
    for (const [connections, streams] of [
      [1, 500],
      [100, 10],
    ] as const) {
      const sockets = Array.from({ length: connections }, () => load(port, streams))
      const rounds = await measure(server)
      for (const socket of sockets) socket.destroy()
      const name = `put, ${connections} × ${streams} streams`
      const cpuUs = median(rounds.map((round) => round.cpuUs / round.puts))
      // With few streams on each of many connections the kernel's share decides, and that is not ours.
      if (connections === 1) yield figure(`${name}: server CPU`, cpuUs, 'µs', '<=', 6)
      else yield figure(`${name}: server CPU`, cpuUs, 'µs')
      yield figure(`${name}: rate`, median(rounds.map(({ puts }) => puts / SECONDS)), 'puts/s')
    }
  } finally {
    server.disconnect()
  }
}

interface Round {
  puts: number
  cpuUs: number
}

async function measure(server: ChildProcess): Promise<Round[]> {
  const rounds: Round[] = []
  // The first two warm up.
  for (let i = -2; i < ROUNDS; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000))
    server.send('mark')
    const [round] = (await once(server, 'message')) as [Round]
    if (i >= 0) rounds.push(round)
  }
  return rounds
}

/** One connection on which so many puts are always on their way. */
function load(port: number, streams: number): Socket {
  const socket = createConnection({ host: '127.0.0.1', port, noDelay: true })
  // It ends by being destroyed, with answers on their way.
  socket.on('error', () => undefined)
  const writer = new ByteWriter()
  const encoder = new HpackEncoder()
  let nextId = 1
  let unread = 0

  const frame = (type: number, flags: number, id: number, payload: () => void): void => {
    writer.ensure(FRAME_HEADER_BYTES)
    const at = writer.at
    writer.at += FRAME_HEADER_BYTES
    payload()
    const length = writer.at - at - FRAME_HEADER_BYTES
    writer.bytes.set([length >>> 16, length >>> 8, length, type, flags, id >>> 24, id >>> 16, id >>> 8, id], at)
  }
  const put = (): void => {
    const id = nextId
    nextId += 2
    frame(FRAME.headers, FLAG.endHeaders, id, () => encoder.encode(writer, HEAD))
    frame(FRAME.data, FLAG.endStream, id, () => {
      writer.byte(0)
      const at = writer.at
      writer.uint32(0)
      const key = `bench/${id % 100_000}`
      METHODS['KV/Put'].request.write(writer, { key, value: VALUE, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false })
      new DataView(writer.bytes.buffer).setUint32(at, writer.at - at - 4)
    })
  }

  writer.byteString(PREFACE)
  frame(FRAME.settings, 0, 0, () => undefined)
  for (let i = 0; i < streams; i += 1) put()
  socket.write(writer.take())

  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (at + FRAME_HEADER_BYTES <= bytes.length) {
      const length = bytes.readUIntBE(at, 3)
      if (at + FRAME_HEADER_BYTES + length > bytes.length) break
      if (bytes[at + 3] === FRAME.data) unread += length
      else if (bytes[at + 3] === FRAME.headers && ((bytes[at + 4] as number) & FLAG.endStream) !== 0) put()
      at += FRAME_HEADER_BYTES + length
    }
    rest = Buffer.from(bytes.subarray(at))
    if (unread > 32_768) {
      const increment = unread
      unread = 0
      frame(FRAME.windowUpdate, 0, 0, () => writer.uint32(increment))
    }
    if (writer.length > 0) socket.write(writer.take())
  })
  return socket
}
