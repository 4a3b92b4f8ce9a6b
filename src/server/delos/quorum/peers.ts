import { X509Certificate } from 'node:crypto'
import { connect as connectPlain, createServer as createPlainServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, TLSSocket, type Server as TlsServer } from 'node:tls'
import { MusterError } from '../../../core/kernel/errors.ts'
import { assert } from '../../../core/kernel/assert.ts'
import type { Logger } from '../../../platform/logger.ts'
import { FRAME_HEAD_BYTES, FrameReader } from './frame-reader.ts'
import { createJoinPort, type JoinHandler } from './join-port.ts'
import { Seldom } from './seldom.ts'
import { identityProblem, serverIdOf } from '../../../platform/certificate-uri.ts'
import { reasonOf } from '../../../platform/tls-reason.ts'

export interface PeerAddress {
  id: bigint
  host: string
  port: number
}

export interface PeerTls {
  key: Buffer
  cert: Buffer
  ca: Buffer
}

export interface PeersOptions {
  self: bigint
  /** servers with another one are not of this cluster and are refused with that reason */
  clusterId: bigint
  listen: { host: string; port: number }
  peers: readonly PeerAddress[]
  /** mutual TLS between servers; null: plain TCP, unless it is given by `useTls` before there are others */
  tls: PeerTls | null
  log: Logger
  /** what a server that comes in, and knows no cluster yet, is told; null: it is none of ours */
  welcome?: (id: bigint) => Uint8Array | null
  /** takes a connection on which another server asks what a client asks; without it such a one is refused */
  onClient?: (socket: Socket, from: bigint) => void
  /** lets others in who come with a token, over TLS and without a certificate; absent: nobody */
  join?: JoinHandler
  /** was a member and never is one again; absent: nobody is known to */
  isRemoved?: (id: bigint) => boolean
  /** what each says of itself before anything else; `hear` gives why the other is refused, or null */
  introduction?: { introduce: (to: bigint) => Uint8Array; hear: (from: bigint, frame: Uint8Array) => string | null }
}

/** Said to a server that was a member, and of which nothing is needed any more. */
export const WAS_REMOVED = 'was removed from the cluster'

/** What shares the connections; each has its frames to itself. */
export const CHANNEL = { log: 0, aside: 1, chain: 2, snapshot: 3, rejoin: 4, introduction: 5 } as const
export type Channel = (typeof CHANNEL)[keyof typeof CHANNEL]

/** Channels of one log; those of a process's second log follow. */
const CHANNELS_PER_LOG = 16
const FIRST_CHANNEL = { kv: 0, control: CHANNELS_PER_LOG } as const

/** The same connections as one log sees them: each has its channels to itself. Closing, and whom to reach, is for all. */
export function scopedPeers(peers: Peers, log: keyof typeof FIRST_CHANNEL): Peers {
  const first = FIRST_CHANNEL[log]
  const shifted = (channel: Channel): Channel => (first + channel) as Channel
  return {
    ...peers,
    send: (to, channel, frame) => peers.send(to, shifted(channel), frame),
    onFrame: (channel, listener) => peers.onFrame(shifted(channel), listener),
  }
}

type FrameListener = (from: bigint, frame: Uint8Array) => void

export interface Peers {
  /** Opens the port for the others, if it is not. Rejects with PORT_TAKEN. */
  listen(): Promise<void>
  /**
   * Sends, or drops: who cannot be reached, or reads too slowly, misses it. Frames that arrive arrive in order.
   * @param frame its bytes, or the pieces of them; nothing changes them any more
   */
  send(to: bigint, channel: Channel, frame: Uint8Array | readonly Uint8Array[]): void
  /** Hears a channel; what comes while nobody does is lost. Gives what ends it. */
  onFrame(channel: Channel, listener: FrameListener): () => void
  /** The connection from that server ended: it may be gone. Gives what ends it. */
  onReset(listener: (from: bigint) => void): () => void
  /** Who the others are from now on: whoever is not among them is refused, and not dialled any more. */
  update(peers: readonly PeerAddress[]): void
  /** A connection on which that server is asked what a client asks it. Rejects when it is not reached, or no member. */
  openClient(to: bigint): Promise<Socket>
  /** A newer certificate: whoever comes from now on is shown it, and dials made from now on show it. Connections that stand stay. */
  useTls(tls: PeerTls): void
  /** servers that are not reached: why not, and since when */
  troubles(): { id: bigint; reason: string; sinceMs: number }[]
  /** what waits for each other server, and how often something was not even kept for it */
  queues(): PeerQueue[]
  close(): Promise<void>
}

export interface PeerQueue {
  id: bigint
  waitingBytes: number
  missed: number
}

/** magic, version, cluster id, id of the sender */
const HELLO_BYTES = 24
const MAGIC = 0x6d757374
/** Begins a connection that is a client's from then on. */
const MAGIC_CLIENT = 0x6d75636c
const VERSION = 1
/** Longest frame: a batch of the log, its largest append, and its message. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024
/** Up to here bytes are copied behind the head of their frame: two writes of a stream cost more. */
const SHORT_BYTES = 16 * 1024
const NO_BYTES = new Uint8Array(0)
/** Bytes that wait for a slow server, after which it misses messages and has to catch up. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024
/** Servers say something each second. Whoever is silent for so long is dialled anew: TCP, whose packets were dropped, would wait ever longer. */
const SILENT_MS = 3000
const DIAL_MS = 2000
const CHECK_MS = 500
const RETRY_FIRST_MS = 30
const RETRY_MAX_MS = 500
/** A connection that held this long was a good one: its end is tried to be mended at once. */
const SETTLED_MS = 1000
/** Time for a handshake and the hello: who connects and says nothing is not waited for. */
const HELLO_MS = 5000
/** Time for a refusal to be read. */
const REFUSAL_MS = 1000
const REFUSAL_CHARS_MAX = 200

/**
 * Connections between the servers of a quorum: each dials each other one and sends on that connection, so a pair has two, one a way.
 */
export async function openPeers(options: PeersOptions): Promise<Peers> {
  const peers = createPeers(options)
  await peers.listen()
  return peers
}

/** The same, not reachable before `listen`: a server alone has no need of a port. */
export function createPeers(options: PeersOptions): Peers {
  const ears: Ears = { frame: new Map(), reset: new Set() }
  const own: OwnTls = { tls: options.tls, id: idOfOwn(options.tls) }
  const links = new Map(options.peers.filter(({ id }) => id !== options.self).map((peer) => [peer.id, new Link(peer, options, own)]))
  const inbound = new Map<Socket, bigint | null>()
  const newest = new Map<bigint, Socket>()
  const refusing = refuser(options.log)
  let server: Server | null = null
  const onConnection = (socket: Socket): void => {
    inbound.set(socket, null)
    socket.on('close', () => inbound.delete(socket))
    const linkOf = (id: bigint): Link | undefined => {
      const link = links.get(id)
      if (link !== undefined) inbound.set(socket, id)
      return link
    }
    receive(socket, options, own, ears, refusing.refuse, linkOf, newest)
  }
  for (const link of links.values()) link.dial()
  let listening: Promise<void> | null = null
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server = createServer(options, own.tls, refusing, onConnection)
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const { host, port } = options.listen
        listening = null
        reject(new MusterError('PORT_TAKEN', `the port for other servers, ${host}:${port}, cannot be opened (${cause.code})`, { cause }))
      })
      server.listen(options.listen.port, options.listen.host, resolve)
    })
  const checks = setInterval(() => {
    for (const link of links.values()) link.check()
  }, CHECK_MS)
  checks.unref()
  return {
    listen: () => {
      listening ??= listen()
      return listening
    },
    send: (to, channel, frame) => links.get(to)?.send(channel, frame),
    onFrame: (channel, listener) => heard(setOf(ears.frame, channel), listener),
    onReset: (listener) => heard(ears.reset, listener),
    update: (peers) => {
      const wanted = new Map(peers.filter(({ id }) => id !== options.self).map((peer) => [peer.id, peer]))
      for (const [id, link] of links) {
        const peer = wanted.get(id)
        if (peer?.host === link.host && peer.port === link.port) continue
        link.close()
        links.delete(id)
        for (const [socket, from] of inbound) if (from === id && peer === undefined) socket.destroy()
      }
      for (const [id, peer] of wanted) {
        if (links.has(id)) continue
        const link = new Link(peer, options, own)
        links.set(id, link)
        link.dial()
      }
    },
    openClient: (to) => {
      const link = links.get(to)
      return link === undefined ? Promise.reject(new Error(`server ${to.toString(16)} is no member`)) : link.openClient()
    },
    useTls: (tls) => {
      assert(server === null || own.tls !== null, 'what is open as plain TCP stays so')
      own.tls = tls
      own.id = idOfOwn(tls)
      if (server !== null) (server as TlsServer).setSecureContext({ ...tls, minVersion: 'TLSv1.3' })
    },
    troubles: () => [...links].flatMap(([id, { trouble }]) => (trouble === null ? [] : [{ id, ...trouble }])),
    queues: () => [...links].map(([id, { waitingBytes, missed }]) => ({ id, waitingBytes, missed })),
    close: async () => {
      clearInterval(checks)
      for (const link of links.values()) link.close()
      for (const socket of inbound.keys()) socket.destroy()
      if (server?.listening === true) await new Promise((resolve) => server?.close(resolve))
    },
  }
}

/** What this server shows of itself, and the server that its certificate says it is; null: it does not say. */
interface OwnTls {
  tls: PeerTls | null
  id: bigint | null
}

function idOfOwn(tls: PeerTls | null): bigint | null {
  return tls === null ? null : serverIdOf(new X509Certificate(tls.cert))
}

/** Who hears what comes in. */
interface Ears {
  frame: Map<number, Set<FrameListener>>
  reset: Set<(from: bigint) => void>
}

function setOf<K, V>(sets: Map<K, Set<V>>, key: K): Set<V> {
  const found = sets.get(key) ?? new Set()
  sets.set(key, found)
  return found
}

function heard<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Ends a connection that another server dialled, logs why, and tells the other side. */
type Refuse = (socket: Socket, reason: string) => void

function refuser(log: Logger): { refuse: Refuse; say: Refuse } {
  // Whoever it is tries again and again.
  const seldom = new Seldom()
  const say: Refuse = ({ remoteAddress }, reason) => {
    if (seldom.isDue(reason)) log.warn('refused a connection of another server', { peer: remoteAddress, reason })
  }
  const refuse: Refuse = (socket, reason) => {
    say(socket, reason)
    socket.removeAllListeners('data').resume()
    socket.on('error', () => {})
    socket.end(reason, () => socket.destroy())
    setTimeout(() => socket.destroy(), REFUSAL_MS).unref()
  }
  return { refuse, say }
}

function createServer(
  { join, log }: PeersOptions,
  tls: PeerTls | null,
  { refuse, say }: ReturnType<typeof refuser>,
  onConnection: (socket: Socket) => void,
): Server {
  const common = { noDelay: true }
  if (tls === null) return createPlainServer(common, onConnection)
  const joinPort = join === undefined ? null : createJoinPort(join, log)
  // Node would refuse a certificate without a word, here and there.
  const given = { ...tls, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3', handshakeTimeout: HELLO_MS } as const
  const server = createTlsServer({ ...common, ...given }, (socket) => {
    if (socket.authorized) onConnection(socket)
    else if (joinPort !== null && socket.getPeerX509Certificate() === undefined) joinPort(socket)
    else refuse(socket, `its certificate is not trusted: ${String(socket.authorizationError)}`)
  })
  server.on('tlsClientError', (error, socket) => say(socket, reasonOf(error)))
  return server
}

const JOIN_MS = 3000

/**
 * Asks a server of a cluster for what one that joins has to know. Rejects with why it is not told: that it is no member, that
 * nobody answers.
 */
export function askWelcome(self: bigint, { host, port }: { host: string; port: number }, tls: PeerTls | null): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const socket =
      tls === null
        ? connectPlain({ host, port, noDelay: true })
        : connectTls({ host, port, ...tls, minVersion: 'TLSv1.3', checkServerIdentity: () => undefined })
    socket.setTimeout(JOIN_MS, () => socket.destroy(new Error('no answer')))
    socket.once(tls === null ? 'connect' : 'secureConnect', () => socket.write(hello({ clusterId: 0n, self })))
    socket.on('data', (part: Buffer) => parts.push(part))
    socket.on('error', (error: NodeJS.ErrnoException) => reject(new Error(tls === null ? (error.code ?? error.message) : reasonOf(error))))
    socket.on('close', () => {
      const told = Buffer.concat(parts)
      if (told[0] === 0x7b) resolve(told)
      else
        reject(
          new Error(told.length === 0 ? 'it closed the connection' : `it says: ${told.toString('latin1').slice(0, REFUSAL_CHARS_MAX)}`),
        )
    })
  })
}

/** Why whoever answers there is not the server that is wanted; null: it is. */
function peerProblem(socket: TLSSocket, own: bigint | null, wanted: bigint): string | null {
  if (!socket.authorized) return `its certificate is not trusted: ${String(socket.authorizationError)}`
  return identityProblem(own, serverIdOf(socket.getPeerX509Certificate()), wanted)
}

function hello({ clusterId, self }: Pick<PeersOptions, 'clusterId' | 'self'>, magic = MAGIC): Uint8Array {
  const bytes = Buffer.alloc(HELLO_BYTES)
  bytes.writeUInt32BE(magic, 0)
  bytes.writeUInt32BE(VERSION, 4)
  bytes.writeBigUInt64BE(clusterId, 8)
  bytes.writeBigUInt64BE(self, 16)
  return bytes
}

/** Reads one connection that another server dialled: its hello, then frames until it ends. `newest`: the last one of each server. */
function receive(
  socket: Socket,
  options: PeersOptions,
  own: OwnTls,
  ears: Ears,
  refuseSocket: Refuse,
  linkOf: (id: bigint) => Link | undefined,
  newest: Map<bigint, Socket>,
): void {
  let from: bigint | null = null
  const frames = new FrameReader(FRAME_BYTES_MAX)
  /** what came of the hello so far */
  let greeting: Buffer = Buffer.alloc(0)
  const take = (channel: number, frame: Buffer): string | null => {
    const reason = channel === CHANNEL.introduction ? (options.introduction?.hear(from as bigint, frame) ?? null) : null
    if (reason !== null) return reason
    for (const listener of ears.frame.get(channel) ?? []) listener(from as bigint, frame)
    return null
  }
  const refuse = (reason: string, link?: Link): void => {
    link?.note(reason)
    refuseSocket(socket, reason)
  }
  const waits = setTimeout(() => refuse(`it said nothing for ${HELLO_MS / 1000} s`), HELLO_MS)
  waits.unref()
  socket.on('data', (chunk: Buffer) => {
    let bytes = chunk
    if (from === null) {
      bytes = Buffer.concat([greeting, chunk])
      greeting = bytes
      if (bytes.length < HELLO_BYTES) return
      const id = bytes.readBigUInt64BE(16)
      clearTimeout(waits)
      const magic = bytes.readUInt32BE(0)
      if ((magic !== MAGIC && magic !== MAGIC_CLIENT) || bytes.readUInt32BE(4) !== VERSION) return refuse('it does not speak this protocol')
      const problem = socket instanceof TLSSocket ? peerProblem(socket, own.id, id) : null
      if (problem !== null) return refuse(problem)
      if (bytes.readBigUInt64BE(8) === 0n) {
        const told = options.welcome?.(id) ?? null
        if (told === null) return refuse(`server ${id.toString(16)} is no member`)
        socket.removeAllListeners('data').resume()
        socket.end(told)
        return
      }
      if (bytes.readBigUInt64BE(8) !== options.clusterId)
        return refuse(`it is of cluster ${bytes.readBigUInt64BE(8).toString(16)}`, linkOf(id))
      if (options.isRemoved?.(id) === true) return refuse(`server ${id.toString(16)} ${WAS_REMOVED}`)
      if (linkOf(id) === undefined) return refuse(`server ${id.toString(16)} is no member`)
      if (magic === MAGIC_CLIENT) {
        if (options.onClient === undefined) return refuse('nothing can be asked here')
        socket.removeAllListeners('data').pause()
        if (bytes.length > HELLO_BYTES) socket.unshift(bytes.subarray(HELLO_BYTES))
        return options.onClient(socket, id)
      }
      from = id
      // It dials anew only when it gave up the one before, whose end may have been dropped on the way.
      newest.get(id)?.destroy()
      newest.set(id, socket)
      bytes = bytes.subarray(HELLO_BYTES)
    }
    linkOf(from)?.hear()
    const reason = frames.read(bytes, take)
    if (reason !== null) refuse(reason, linkOf(from))
  })
  // 'close' follows.
  socket.on('error', () => {})
  socket.on('close', () => {
    clearTimeout(waits)
    if (from === null || newest.get(from) !== socket) return
    newest.delete(from)
    for (const listener of ears.reset) listener(from)
  })
}

/** The connection to one other server, dialled again for ever. */
class Link {
  readonly #peer: PeerAddress
  readonly #options: PeersOptions
  readonly #own: OwnTls
  #socket: Socket | TLSSocket | null = null
  #isOpen = false
  #isClosed = false
  #isCorked = false
  #retryMs = RETRY_FIRST_MS
  #timer: NodeJS.Timeout | null = null
  /** since the other server was heard, or the dial began; counted, so that sleep of this process is not taken for silence of that one */
  #silentMs = 0
  #giveUpReason = ''
  /** frames that it was not sent, being away or slow */
  missed = 0
  readonly #seldom = new Seldom()
  trouble: { reason: string; sinceMs: number } | null = { reason: 'not reached yet', sinceMs: Date.now() }

  constructor(peer: PeerAddress, options: PeersOptions, own: OwnTls) {
    this.#peer = peer
    this.#options = options
    this.#own = own
  }

  get host(): string {
    return this.#peer.host
  }

  get port(): number {
    return this.#peer.port
  }

  #connect(): Socket | TLSSocket {
    const { host, port } = this.#peer
    const { tls } = this.#own
    return tls === null
      ? connectPlain({ host, port, noDelay: true })
      : connectTls({ host, port, ...tls, rejectUnauthorized: false, minVersion: 'TLSv1.3', checkServerIdentity: () => undefined })
  }

  openClient(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = this.#connect()
      const giveUp = setTimeout(() => socket.destroy(new Error(`it did not answer for ${DIAL_MS / 1000} s`)), DIAL_MS)
      socket.once('error', reject)
      socket.once('close', () => clearTimeout(giveUp))
      socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
        clearTimeout(giveUp)
        const problem = socket instanceof TLSSocket ? peerProblem(socket, this.#own.id, this.#peer.id) : null
        if (problem !== null) return void socket.destroy(new Error(problem))
        socket.off('error', reject)
        socket.setNoDelay(true)
        socket.write(hello(this.#options, MAGIC_CLIENT))
        resolve(socket)
      })
    })
  }

  dial(): void {
    if (this.#isClosed) return
    const { id } = this.#peer
    const { tls } = this.#own
    const socket = this.#connect()
    this.#socket = socket
    this.#silentMs = 0
    this.#giveUpReason = ''
    socket.setNoDelay(true)
    let openedAtMs = Number.POSITIVE_INFINITY
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      const problem = socket instanceof TLSSocket ? peerProblem(socket, this.#own.id, id) : null
      if (problem !== null) {
        this.#giveUpReason = problem
        // In order, so that the other side can look at our certificate too, and say what it finds.
        socket.end()
        return
      }
      this.#isOpen = true
      this.#silentMs = 0
      openedAtMs = performance.now()
      this.trouble = null
      socket.write(hello(this.#options))
      const { introduction } = this.#options
      if (introduction !== undefined) this.send(CHANNEL.introduction, introduction.introduce(this.#peer.id))
    })
    let reason = 'it closed the connection'
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (refusal === '') reason = tls === null ? (error.code ?? error.message) : reasonOf(error)
    })
    // The other side sends nothing here but why it refuses; reading notices that it is gone.
    let refusal = ''
    socket.on('data', (part: Buffer) => {
      if (refusal.length < REFUSAL_CHARS_MAX) refusal += part.toString('latin1').replace(/[^ -~]/g, '')
      reason = `it says: ${refusal.slice(0, REFUSAL_CHARS_MAX)}`
    })
    socket.on('close', () => {
      this.#isOpen = false
      this.#socket = null
      this.note(this.#giveUpReason || reason)
      if (this.#isClosed) return
      // With TLS 1.3 the other side refuses our certificate after it looks open from here.
      if (performance.now() - openedAtMs > SETTLED_MS) this.#retryMs = RETRY_FIRST_MS
      this.#timer = setTimeout(() => this.dial(), this.#retryMs)
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS)
    })
  }

  hear(): void {
    this.#silentMs = 0
  }

  /** To be called each `CHECK_MS`. */
  check(): void {
    if (this.#socket === null) return
    this.#silentMs += CHECK_MS
    if (this.#silentMs < (this.#isOpen ? SILENT_MS : DIAL_MS)) return
    this.#giveUpReason = this.#isOpen ? `it said nothing for ${SILENT_MS / 1000} s` : `it did not answer for ${DIAL_MS / 1000} s`
    this.#socket.destroy()
  }

  get waitingBytes(): number {
    return this.#socket?.writableLength ?? 0
  }

  note(reason: string): void {
    this.trouble = { reason, sinceMs: this.trouble?.sinceMs ?? Date.now() }
    if (this.#isClosed || !this.#seldom.isDue(reason)) return
    const { id, host, port } = this.#peer
    this.#options.log.warn('no connection to another server', { server: id.toString(16), address: `${host}:${port}`, reason })
  }

  send(channel: number, frame: Uint8Array | readonly Uint8Array[]): void {
    const socket = this.#socket
    if (socket === null || !this.#isOpen || socket.writableLength > WAITING_BYTES_MAX) {
      this.missed += 1
      return
    }
    // All frames of a turn leave in one write.
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      setImmediate(() => {
        this.#isCorked = false
        socket.uncork()
      })
    }
    const pieces = frame instanceof Uint8Array ? [frame] : frame
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    // The head takes the first piece along.
    const [first, ...others] = (pieces[0]?.length ?? 0) <= SHORT_BYTES ? pieces : [NO_BYTES, ...pieces]
    const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES + (first?.length ?? 0))
    head.writeUInt32BE(length, 0)
    head[4] = channel
    if (first !== undefined) head.set(first, FRAME_HEAD_BYTES)
    socket.write(head)
    for (const piece of others) socket.write(piece)
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#socket?.destroy()
  }
}
