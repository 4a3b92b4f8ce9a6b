import { connect, type Socket } from 'node:net'

/*
 * gRPC unary calls over HTTP/2 from hand-made frames, cheap enough that the servers and not the generator are measured. It knows
 * just what a benchmark needs: one kind of call, its header block the same bytes each time, answers counted by their frames.
 */

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const
const END_STREAM = 1
const END_HEADERS = 4
const ACK = 1
const WINDOW = 16 * 1024 * 1024

export interface GrpcLoadOptions {
  host: string
  port: number
  /** `/etcdserverpb.KV/Put` */
  path: string
  connections: number
  /** calls under way on each connection */
  streams: number
  /** the message of the n-th call, in protobuf */
  message: (n: number) => Uint8Array
  /** calls in all, or time in seconds; whichever is reached first */
  calls: number
  seconds: number
  /** calls a second over all connections; 0: as fast as answers come */
  rate: number
}

export interface GrpcLoad {
  calls: number
  /** calls answered without a message: refused, or cut off */
  failed: number
  seconds: number
  latenciesMs: Float64Array
}

export async function grpcLoad(options: GrpcLoadOptions): Promise<GrpcLoad> {
  const run = new Run(options)
  const clients = await Promise.all(Array.from({ length: options.connections }, () => openClient(options, run)))
  run.begin(clients)
  await run.over
  for (const client of clients) client.socket.destroy()
  return run.result()
}

class Run {
  readonly options: GrpcLoadOptions
  readonly over: Promise<void>
  #end: () => void = () => {}
  #sent = 0
  #done = 0
  failed = 0
  #startedMs = 0
  #endedMs = 0
  #isOver = false
  #latencies: Float64Array
  #ticker: NodeJS.Timeout | null = null

  constructor(options: GrpcLoadOptions) {
    this.options = options
    this.#latencies = new Float64Array(Math.min(options.calls, 4_000_000))
    this.over = new Promise((resolve) => (this.#end = resolve))
  }

  begin(clients: Client[]): void {
    this.#startedMs = performance.now()
    setTimeout(() => this.#stop(), this.options.seconds * 1000)
    if (this.options.rate === 0) {
      for (const client of clients) for (let i = 0; i < this.options.streams; i += 1) client.call()
      return
    }
    let owed = 0
    let last = performance.now()
    let next = 0
    this.#ticker = setInterval(() => {
      const now = performance.now()
      owed += ((now - last) * this.options.rate) / 1000
      last = now
      for (; owed >= 1; owed -= 1) clients[next++ % clients.length]?.call()
    }, 1)
  }

  /** The number of the next call, or -1: no more. */
  take(): number {
    if (this.#isOver || this.#sent >= this.options.calls) return -1
    this.#sent += 1
    return this.#sent - 1
  }

  finished(startedMs: number, hasAnswer: boolean): void {
    if (this.#isOver) return
    if (!hasAnswer) this.failed += 1
    if (this.#done < this.#latencies.length) this.#latencies[this.#done] = performance.now() - startedMs
    this.#done += 1
    if (this.#done >= this.options.calls) this.#stop()
  }

  #stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#endedMs = performance.now()
    if (this.#ticker !== null) clearInterval(this.#ticker)
    this.#end()
  }

  result(): GrpcLoad {
    const seconds = (this.#endedMs - this.#startedMs) / 1000
    return {
      calls: this.#done,
      failed: this.failed,
      seconds,
      latenciesMs: this.#latencies.subarray(0, Math.min(this.#done, this.#latencies.length)),
    }
  }
}

interface Client {
  socket: Socket
  call: () => void
}

/** HPACK literals without indexing: the same bytes for every call of a connection (RFC 7541, 6.2.2). */
function headerBlock({ host, port, path }: GrpcLoadOptions): Buffer {
  const literal = (name: string, value: string): Buffer =>
    Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])
  return Buffer.concat([
    // :method POST and :scheme http, both of the static table
    Buffer.from([0x83, 0x86]),
    literal(':path', path),
    literal(':authority', `${host}:${port}`),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ])
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(9 + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, 9)
  return bytes
}

function openClient(options: GrpcLoadOptions, run: Run): Promise<Client> {
  const socket = connect({ host: options.host, port: options.port, noDelay: true })
  const block = headerBlock(options)
  const started = new Map<number, number>()
  const answered = new Set<number>()
  const blocked: number[] = []
  let nextStream = 1
  let sendWindow = 65_535
  let received = 0
  let rest: Buffer = Buffer.alloc(0)
  let out: Buffer[] = []

  const write = (bytes: Buffer): void => {
    if (out.length === 0)
      setImmediate(() => {
        socket.write(out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out))
        out = []
      })
    out.push(bytes)
  }

  const send = (n: number): void => {
    const message = options.message(n)
    if (sendWindow < message.length + 5) {
      blocked.push(n)
      return
    }
    sendWindow -= message.length + 5
    const stream = nextStream
    nextStream += 2
    started.set(stream, performance.now())
    const body = Buffer.allocUnsafe(5 + message.length)
    body[0] = 0
    body.writeUInt32BE(message.length, 1)
    body.set(message, 5)
    write(frame(FRAME.headers, END_HEADERS, stream, block))
    write(frame(FRAME.data, END_STREAM, stream, body))
  }

  const call = (): void => {
    const n = run.take()
    if (n >= 0) send(n)
  }

  const ended = (stream: number): void => {
    const at = started.get(stream)
    if (at === undefined) return
    started.delete(stream)
    run.finished(at, answered.delete(stream))
    if (options.rate === 0) call()
  }

  const onFrame = (type: number, flags: number, stream: number, payload: Buffer): void => {
    if (type === FRAME.data) {
      if (payload.length > 5) answered.add(stream)
      received += payload.length
      if (received > WINDOW / 2) {
        const update = Buffer.alloc(4)
        update.writeUInt32BE(received, 0)
        received = 0
        write(frame(FRAME.windowUpdate, 0, 0, update))
      }
    } else if (type === FRAME.windowUpdate && stream === 0) {
      sendWindow += payload.readUInt32BE(0)
      for (let n = blocked.shift(); n !== undefined; n = blocked.shift()) {
        const before = blocked.length
        send(n)
        if (blocked.length > before) break
      }
    } else if (type === FRAME.settings && (flags & ACK) === 0) write(frame(FRAME.settings, ACK, 0, Buffer.alloc(0)))
    else if (type === FRAME.ping && (flags & ACK) === 0) write(frame(FRAME.ping, ACK, 0, Buffer.from(payload)))
    else if (type === FRAME.reset) ended(stream)
    if ((type === FRAME.data || type === FRAME.headers) && (flags & END_STREAM) !== 0) ended(stream)
  }

  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3)
      if (bytes.length - at < 9 + length) break
      onFrame(
        bytes[at + 3] as number,
        bytes[at + 4] as number,
        bytes.readUInt32BE(at + 5) & 0x7fffffff,
        bytes.subarray(at + 9, at + 9 + length),
      )
      at += 9 + length
    }
    rest = bytes.subarray(at)
  })
  socket.on('close', () => {
    for (const stream of [...started.keys()]) ended(stream)
  })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () => {
      // Windows so large that the server never waits for us.
      const settings = Buffer.alloc(6)
      settings.writeUInt16BE(4, 0)
      settings.writeUInt32BE(WINDOW, 2)
      const update = Buffer.alloc(4)
      update.writeUInt32BE(WINDOW - 65_535, 0)
      socket.write(
        Buffer.concat([
          Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
          frame(FRAME.settings, 0, 0, settings),
          frame(FRAME.windowUpdate, 0, 0, update),
        ]),
      )
      resolve({ socket, call })
    })
  })
}
