import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type SecureContextOptions, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { assert } from '../../../core/kernel/assert.ts'
import type { GrpcCounters, GrpcLimits } from '../../../core/delos/wire/grpc/connection.ts'
import { routesOf } from '../../../core/delos/wire/grpc/routes.ts'
import { HTTP2_LIMITS } from '../../../core/delos/wire/http2/limits.ts'
import type { EtcdService } from '../../../core/delos/wire/service.ts'
import { PREFACE } from '../../../core/delos/wire/native/frames.ts'
import type { NativeConnection, OpenNative } from '../native/connection.ts'
import { createFlusher } from './flusher.ts'
import { createGateway, type JsonCall, type Page } from './gateway.ts'
import { GrpcSocket } from './grpc-socket.ts'

export type { JsonCall, Page } from './gateway.ts'

/** etcd's own default of `--max-request-bytes`. */
const REQUEST_BYTES_MAX = 1_572_864
/** Deadlines are looked at this often; the caller keeps its own. */
const TICK_MS = 50
/** A connection that says nothing is closed. */
const SILENT_MS = 30_000
const CONNECTIONS_MAX = 20_000

export interface EtcdPortOptions {
  host: string
  /** 0: a free one */
  port: number
  /** The work itself. A method left out is answered 12 Unimplemented. */
  service: Partial<EtcdService>
  /** GET pages by path: /version, /health, /livez, /readyz, /metrics */
  pages: Record<string, (query: URLSearchParams) => Page | Promise<Page>>
  /** Calls in JSON by POST that are not etcd's, by path. */
  calls?: Record<string, JsonCall>
  /** What `grpc.health.v1.Health/Check` answers; serving without. */
  isServing?: () => boolean
  tls?: EtcdTls
  /** takes a connection that begins with the preface of the native protocol; without it such a one is closed */
  native?: OpenNative
  /** a connection that TLS ended: no certificate that is trusted, or no TLS at all */
  onRefused?: (client: string, reason: string) => void
  limits?: Partial<GrpcLimits>
  connectionsMax?: number
}

/** PEM texts. With `requireClientCert` a client needs a certificate of `ca`, whose common name becomes `Call.commonName`. */
export interface EtcdTls {
  key: string
  cert: string
  ca?: string
  requireClientCert?: boolean
}

export interface EtcdPortStats extends GrpcCounters {
  /** gRPC connections open now */
  connections: number
  /** TCP connections open now, of any protocol */
  sockets: number
  streams: number
  /** answers that wait for a reader: for the windows of their streams, or in the sockets */
  heldBytes: number
  /** requests that wait for their answer */
  pendingBytes: number
  /** connections of the native protocol open now, and requests on them that wait for their answer */
  natives: number
  nativePendingBytes: number
  /** header blocks that are known byte for byte, of all connections */
  headerBlocks: number
  /** connections closed for breaking the protocol or its bounds, by the reason given */
  failures: Record<string, number>
}

export interface EtcdPort {
  host: string
  port: number
  /** `http://host:port` or `https://…` */
  url: string
  stats(): EtcdPortStats
  /** Another certificate for connections to come; those that are open keep theirs. */
  renew(tls: EtcdTls): void
  /** Takes nothing new, ends streams with Unavailable, lets calls finish for `graceMs`, then closes what is left. */
  close(graceMs?: number): Promise<void>
}

/**
 * One port for etcd's clients: gRPC over HTTP/2 with our own framing, and its JSON gateway and pages over HTTP/1.1, told apart by the
 * first bytes, also within TLS.
 * @throws what `listen` does, EADDRINUSE for one, and what TLS says of a bad key
 */
export async function openEtcdPort(options: EtcdPortOptions): Promise<EtcdPort> {
  const limits: GrpcLimits = { ...HTTP2_LIMITS, requestBytesMax: REQUEST_BYTES_MAX, ...options.limits }
  const routes = routesOf(options.service, options.isServing ?? (() => true))
  const counters: GrpcCounters = { calls: 0, errors: 0, cancelled: 0, deadlines: 0 }
  const failures: Record<string, number> = {}
  const connections = new Set<GrpcSocket>()
  const schedule = createFlusher(setImmediate)
  const gateway = createGateway({
    routes,
    pages: options.pages,
    calls: options.calls ?? {},
    requestBytesMax: limits.requestBytesMax,
    commonNameOf,
  })
  const http = createHttpServer(gateway.handle)
  // It gets its connections from us; without this it would not watch over their timeouts.
  http.emit('listening')

  const serveGrpc = (socket: Socket): GrpcSocket => {
    const onClose = (closed: GrpcSocket): void => {
      connections.delete(closed)
      const { failure } = closed.grpc.http2
      if (failure !== '') failures[failure] = (failures[failure] ?? 0) + 1
    }
    const connection = new GrpcSocket({ socket, limits, routes, commonName: commonNameOf({ socket }), counters, schedule, onClose })
    connections.add(connection)
    return connection
  }

  const natives = new Set<NativeConnection>()
  const serveNative = (socket: Socket, first: Buffer): void => {
    if (options.native === undefined) return void socket.destroy()
    const connection = options.native(socket, commonNameOf({ socket }))
    natives.add(connection)
    socket.on('close', () => natives.delete(connection))
    connection.receive(first)
  }

  const tls = options.tls
  const server: Server =
    tls === undefined
      ? createServer({ noDelay: true }, (socket) => tellApart(socket, serveGrpc, serveNative, http))
      : createTlsServer(
          {
            ...contextOf(tls),
            requestCert: tls.requireClientCert === true,
            // Node would refuse a certificate without a word on why.
            rejectUnauthorized: false,
            ALPNCallback,
          },
          (socket) => {
            if (tls.requireClientCert !== true || socket.authorized) return tellApart(socket, serveGrpc, serveNative, http)
            options.onRefused?.(socket.remoteAddress ?? '', `its certificate is not trusted: ${String(socket.authorizationError)}`)
            socket.destroy()
          },
        )
  server.on('tlsClientError', ({ code, message }: NodeJS.ErrnoException, { remoteAddress }: Socket) =>
    options.onRefused?.(remoteAddress ?? '', `TLS: ${/:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? code ?? message}`),
  )
  server.maxConnections = options.connectionsMax ?? CONNECTIONS_MAX
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await listen(server, options)
  const ticking = setInterval(() => {
    const now = performance.now()
    for (const connection of connections) connection.grpc.tick(now)
  }, TICK_MS).unref()

  const { port } = server.address() as AddressInfo
  return {
    host: options.host,
    port,
    url: `${tls === undefined ? 'http' : 'https'}://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    stats: () => {
      const all = [...connections].map(({ grpc }) => grpc)
      return {
        ...counters,
        connections: connections.size,
        sockets: sockets.size,
        streams: sum(all.map(({ http2 }) => http2.streams.size)),
        heldBytes:
          gateway.promisedBytes() +
          sum(all.map(({ http2 }) => http2.queuedBytes + http2.promisedBytes)) +
          sum([...sockets].map(({ writableLength }) => writableLength)),
        pendingBytes: sum(all.map(({ pendingBytes }) => pendingBytes)),
        natives: natives.size,
        nativePendingBytes: sum([...natives].map(({ pendingBytes }) => pendingBytes)),
        headerBlocks: sum(all.map(({ http2 }) => http2.headerBlocks)),
        failures: { ...failures },
      }
    },
    renew: (next) => {
      assert(tls !== undefined, 'a port without TLS has no certificate')
      ;(server as TlsServer).setSecureContext(contextOf(next))
    },
    close: async (graceMs = 5000) => {
      const closed = new Promise<void>((done) => server.close(() => done()))
      gateway.shutDown()
      http.close()
      const sweeping = setInterval(() => http.closeIdleConnections(), TICK_MS)
      for (const connection of [...connections, ...natives]) connection.shutDown()
      const killing = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, graceMs)
      await closed
      clearTimeout(killing)
      clearInterval(sweeping)
      clearInterval(ticking)
    },
  }
}

const contextOf = ({ key, cert, ca }: EtcdTls): SecureContextOptions => ({ key, cert, ...(ca === undefined ? {} : { ca }) })

/**
 * gRPC's clients offer h2 and nothing else. Who offers HTTP/1.1 too, as curl, Prometheus and browsers do, wants pages or JSON, and those
 * are spoken over HTTP/1.1 alone.
 */
const ALPNCallback = ({ protocols }: { protocols: string[] }): string | undefined =>
  ['http/1.1', 'h2'].find((protocol) => protocols.includes(protocol))

/** The first bytes decide: HTTP/2's preface, that of the native protocol, or a request line of HTTP/1.1. */
function tellApart(
  socket: Socket,
  serveGrpc: (socket: Socket) => GrpcSocket,
  serveNative: (socket: Socket, first: Buffer) => void,
  http: ReturnType<typeof createHttpServer>,
): void {
  const refuse = (): void => void socket.destroy()
  // A peer that resets before it has said anything.
  socket.on('error', refuse)
  socket.setTimeout(SILENT_MS, refuse)
  let first: Buffer = Buffer.alloc(0)
  const look = (chunk: Buffer): void => {
    first = first.length === 0 ? chunk : Buffer.concat([first, chunk])
    if (first.length < 4 && 'PRI '.startsWith(first.toString('latin1'))) return
    const isNative = isPrefix(first, PREFACE)
    if (isNative && first.length < PREFACE.length) return
    socket.off('data', look)
    socket.setTimeout(0)
    socket.off('timeout', refuse)
    if (first.toString('latin1', 0, 4) === 'PRI ') return serveGrpc(socket).receive(first)
    if (isNative) return serveNative(socket, first.subarray(PREFACE.length))
    socket.off('error', refuse)
    socket.pause()
    socket.unshift(first)
    http.emit('connection', socket)
    socket.resume()
  }
  socket.on('data', look)
}

const isPrefix = (first: Uint8Array, whole: Uint8Array): boolean => first.subarray(0, whole.length).every((byte, i) => byte === whole[i])

function commonNameOf({ socket }: Pick<IncomingMessage, 'socket'>): string {
  const secure = socket as Partial<TLSSocket>
  if (secure.encrypted !== true || secure.authorized !== true) return ''
  const name: unknown = secure.getPeerCertificate?.().subject?.CN
  return typeof name === 'string' ? name : ''
}

function listen(server: Server, { host, port }: EtcdPortOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

const sum = (numbers: number[]): number => numbers.reduce((total, one) => total + one, 0)
