import { connect, type ClientHttp2Session } from 'node:http2'
import { decode, type Codec } from '../../src/core/kernel/protobuf/codec.ts'
import { encode } from '../../src/core/kernel/protobuf/encode.ts'

/** A connection for streams of gRPC, as many as one likes. */
export function openStreams(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 16 * 1024 * 1024 } })
  session.on('error', () => undefined)
  session.once('connect', () => session.setLocalWindowSize(64 * 1024 * 1024))
  return session
}

/** One stream: `send` says something, `onMessage` hears each answer. */
export function openStream<Request, Response>(
  session: ClientHttp2Session,
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
  onMessage: (message: Response) => void,
): { send: (message: Request) => void; end: () => void } {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' })
  let rest: Buffer = Buffer.alloc(0)
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Buffer) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (bytes.length >= 5) {
      const end = 5 + bytes.readUInt32BE(1)
      if (bytes.length < end) break
      const message = decode(response, bytes.subarray(5, end))
      if (message !== null) onMessage(message)
      bytes = bytes.subarray(end)
    }
    rest = bytes
  })
  return {
    send: (message) => {
      const body = encode(request, message)
      const head = Buffer.alloc(5)
      head.writeUInt32BE(body.length, 1)
      stream.write(Buffer.concat([head, body]))
    },
    end: () => stream.close(),
  }
}
