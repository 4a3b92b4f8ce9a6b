import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import { ByteWriter } from '../../../core/kernel/protobuf/byte-writer.ts'
import { errorBody, httpStatusOf, streamErrorLine } from '../../../core/delos/wire/gateway/http-status.ts'
import { fromJson, jsonPieces, parseJson, toJson } from '../../../core/delos/wire/gateway/json.ts'
import { JsonSplitter } from '../../../core/delos/wire/gateway/json-splitter.ts'
import { STOPPED, TOO_LARGE } from '../../../core/delos/wire/grpc/connection.ts'
import type { Route, Routes } from '../../../core/delos/wire/grpc/routes.ts'
import { STATUS } from '../../../core/delos/wire/grpc/status.ts'
import { METHODS } from '../../../core/delos/wire/methods.ts'
import { decode, type Codec } from '../../../core/kernel/protobuf/codec.ts'
import { pairBytes } from '../../../core/delos/wire/pair-bytes.ts'
import type { Call, RpcError, Sink, Source } from '../../../core/delos/wire/service.ts'

/** What a page answers. */
export interface Page {
  status: number
  type: string
  body: string
}

/** Answers a body of JSON. */
export type JsonCall = (body: unknown, call: Call) => Promise<Page>

export interface GatewayOptions {
  routes: Routes
  /** pages for GET, by path */
  pages: Record<string, (query: URLSearchParams) => Page | Promise<Page>>
  /** calls in JSON by POST that are not etcd's, by path */
  calls: Record<string, JsonCall>
  requestBytesMax: number
  commonNameOf: (request: IncomingMessage) => string
}

/** A stream whose reader is this far behind is broken off. */
const STREAM_QUEUE_BYTES_MAX = 64 * 1_048_576

type UnaryRoute = Extract<Route, { kind: 'unary' }>
type StreamingRoute = Extract<Route, { kind: 'streaming' }>

/** `:path` of the call behind each path of the gateway, below its version. */
const PATHS = new Map(Object.values(METHODS).flatMap(({ path, routes }) => routes.map((route) => [route, path] as const)))

export interface Gateway {
  /** Answers a request of HTTP/1.1: a page, or a call in JSON as etcd's gateway has it. */
  handle: (request: IncomingMessage, response: ServerResponse) => void
  /** bytes of answers that are made as they are read, what is not made yet */
  promisedBytes: () => number
  /** Ends all streams. */
  shutDown: () => void
}

export function createGateway(options: GatewayOptions): Gateway {
  const sinks = new Set<JsonSink>()
  let promisedBytes = 0
  const sendLong: SendLong = (response, codec, answer) => {
    const bytes = pairBytes(answer as object)
    promisedBytes += bytes
    response.on('close', () => {
      promisedBytes -= bytes
    })
    writePieces(response, jsonPieces(codec.schema, answer))
  }
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? '').replace(/[?#].*$/s, '')
    const page = Object.hasOwn(options.pages, path) ? options.pages[path] : undefined
    if (page !== undefined) return void sendPage(request, response, page)
    const asked = Object.hasOwn(options.calls, path) ? options.calls[path] : undefined
    if (asked !== undefined) return jsonCall(asked, callOf(request, response, options.commonNameOf(request)), request, response)
    const rpc = PATHS.get(path.replace(/^\/v3(beta)?(?=\/)/, ''))
    if (rpc === undefined || !/^\/v3(beta)?\//.test(path)) return sendText(response, 404, 'Not Found')
    if (request.method !== 'POST') return sendText(response, 405, 'Method Not Allowed')
    const route = options.routes.get(rpc)
    if (route === undefined) return sendError(response, { code: STATUS.unimplemented, text: `unknown method ${rpc}` })
    const call = callOf(request, response, options.commonNameOf(request))
    if (route.kind === 'unary') unary(route, call, request, response, options.requestBytesMax, sendLong)
    else {
      const sink = new JsonSink(response, route.method.response)
      sinks.add(sink)
      response.on('close', () => sinks.delete(sink))
      streaming(route, call, sink, request, options.requestBytesMax)
    }
  }
  return {
    handle,
    promisedBytes: () => promisedBytes,
    shutDown: () => {
      for (const sink of sinks) sink.end(STOPPED)
    },
  }
}

/** Above it an answer is made into JSON as its reader takes it, in pieces of so many chars. */
const SHORT_BYTES = 65_536
/** Of the pairs in an answer: clients of JSON hold all of it. */
const JSON_ANSWER_BYTES_MAX = 32 * 1_048_576
const TOO_LONG: RpcError = {
  code: STATUS.resourceExhausted,
  text: 'muster: the answer is over 32 MiB, too long for JSON; ask for it in pages, with a limit',
}

/** JSON may be this much longer than the message it says: base64, names, quotes. */
const bodyBytesMax = (requestBytesMax: number): number => requestBytesMax * 2

type SendLong = (response: ServerResponse, codec: Codec<unknown>, answer: unknown) => void

function unary(
  route: UnaryRoute,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
  requestBytesMax: number,
  sendLong: SendLong,
): void {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= bodyBytesMax(requestBytesMax)) chunks.push(chunk)
    else if (!response.headersSent) {
      response.setHeader('connection', 'close')
      sendError(response, TOO_LARGE)
    }
  })
  request.on('end', () => {
    if (response.headersSent) return
    const text = Buffer.concat(chunks).toString('utf8').trim()
    // etcd takes an empty body for a message without fields.
    const read = parse(route.method.request, text === '' ? '{}' : text)
    if ('error' in read) return sendError(response, { code: STATUS.invalidArgument, text: read.error })
    const raw = encode(route.method.request, read.message)
    if (raw.length > requestBytesMax) return sendError(response, TOO_LARGE)
    route.handle(read.message, raw, call, (error, answer) => {
      if (response.writableEnded || response.destroyed) return
      if (error !== null) sendError(response, error)
      else if (pairBytes(answer as object) > JSON_ANSWER_BYTES_MAX) sendError(response, TOO_LONG)
      else if (pairBytes(answer as object) > SHORT_BYTES) sendLong(response, route.method.response, answer)
      else send(response, 200, 'application/json', JSON.stringify(toJson(route.method.response.schema, answer)))
    })
  })
}

/** A piece when the socket takes it, and something else between two. */
function writePieces(response: ServerResponse, pieces: Generator<string, void>): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const slice = (): void => {
    if (response.destroyed) return
    let text = ''
    while (text.length < SHORT_BYTES) {
      const { done, value } = pieces.next()
      if (done === true) return void response.end(text)
      text += value
    }
    if (response.write(text)) setImmediate(slice)
    else response.once('drain', slice)
  }
  slice()
}

function streaming(route: StreamingRoute, call: Call, sink: JsonSink, request: IncomingMessage, requestBytesMax: number): void {
  const splitter = new JsonSplitter()
  const source: Source<unknown> = route.handle(call, sink)
  const take = (text: string): void => {
    if (sink.isEnded) return
    const read = parse(route.method.request, text)
    // Unknown it is, and not InvalidArgument: so has etcd's gateway, which gives the error of its stream.
    if ('error' in read) fail({ code: STATUS.unknown, text: read.error })
    else source.message(read.message)
  }
  const fail = (error: RpcError): void => {
    sink.end(error)
    source.cancelled()
  }
  request.on('data', (chunk: Buffer) => {
    if (sink.isEnded) return
    for (const text of splitter.push(chunk)) take(text)
    if (splitter.heldBytes > bodyBytesMax(requestBytesMax)) fail(TOO_LARGE)
  })
  request.on('end', () => {
    const rest = splitter.end()
    if (rest !== '') take(rest)
    if (!sink.isEnded) source.halfClosed()
  })
  call.onCancel(() => {
    if (sink.isEnded) return
    sink.isEnded = true
    source.cancelled()
  })
}

/** A stream's answers as one line of JSON each. */
class JsonSink implements Sink<unknown> {
  readonly messageBytes = SHORT_BYTES
  isEnded = false
  private readonly response: ServerResponse
  private readonly codec: Codec<unknown>

  constructor(response: ServerResponse, codec: Codec<unknown>) {
    this.response = response
    this.codec = codec
  }

  send(message: unknown): boolean {
    if (this.isEnded) return false
    this.start()
    if (this.response.writableLength > STREAM_QUEUE_BYTES_MAX) this.response.destroy()
    return this.response.write(`${JSON.stringify({ result: toJson(this.codec.schema, message) })}\n`)
  }

  sendEncoded(message: Uint8Array): boolean {
    const decoded = decode(this.codec, message)
    return decoded !== null && this.send(decoded)
  }

  onReady(listener: () => void): void {
    this.response.on('drain', listener)
  }

  end(error?: RpcError): void {
    if (this.isEnded) return
    this.isEnded = true
    if (error === undefined) {
      this.start()
      this.response.end()
      return
    }
    if (!this.response.headersSent) sendError(this.response, error)
    else this.response.end(streamErrorLine(error, STATUS_CODES[httpStatusOf(error.code)] ?? ''))
  }

  private start(): void {
    if (!this.response.headersSent) this.response.writeHead(200, { 'content-type': 'application/json' })
  }
}

function callOf(request: IncomingMessage, response: ServerResponse, commonName: string): Call {
  const { headers, socket } = request
  return {
    token: String(headers['grpc-metadata-token'] ?? headers.authorization ?? ''),
    commonName,
    peer: `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`,
    requiresLeader: headers['grpc-metadata-hasleader'] === 'true',
    onCancel: (listener) => {
      response.on('close', () => {
        if (!response.writableEnded) listener()
      })
    },
  }
}

function parse<Message>(codec: Codec<Message>, text: string): { message: Message } | { error: string } {
  const json = parseJson(text)
  return 'error' in json ? json : fromJson(codec, json.value)
}

function encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
  const writer = new ByteWriter(1024)
  codec.write(writer, message)
  return writer.take()
}

const JSON_BODY_BYTES_MAX = 64 * 1024

function jsonCall(asked: JsonCall, call: Call, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'POST') {
    request.resume()
    return sendText(response, 405, 'Method Not Allowed')
  }
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => {
    if (text.length <= JSON_BODY_BYTES_MAX) text += chunk
  })
  request.on('end', () => {
    const json = text.length > JSON_BODY_BYTES_MAX ? { error: 'the body is too long' } : parseJson(text.trim() === '' ? '{}' : text)
    if ('error' in json) return sendError(response, { code: STATUS.invalidArgument, text: json.error })
    asked(json.value, call).then(
      ({ status, type, body }) => {
        if (!response.destroyed) send(response, status, type, body)
      },
      (error: unknown) => sendError(response, { code: STATUS.internal, text: error instanceof Error ? error.message : String(error) }),
    )
  })
}

async function sendPage(
  request: IncomingMessage,
  response: ServerResponse,
  page: (query: URLSearchParams) => Page | Promise<Page>,
): Promise<void> {
  request.resume()
  if (request.method !== 'GET' && request.method !== 'HEAD') return sendText(response, 405, 'Method Not Allowed')
  try {
    const [, query = ''] = /\?([^#]*)/.exec(request.url ?? '') ?? []
    const { status, type, body } = await page(new URLSearchParams(query))
    send(response, status, type, body)
  } catch (error) {
    sendText(response, 500, (error as Error).message)
  }
}

const sendText = (response: ServerResponse, status: number, text: string): void =>
  send(response, status, 'text/plain; charset=utf-8', `${text}\n`)

const sendError = (response: ServerResponse, error: RpcError): void =>
  send(response, httpStatusOf(error.code), 'application/json', errorBody(error))

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
