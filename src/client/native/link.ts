import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { FRAME, FrameSplitter, PREFACE } from '../../core/delos/wire/native/frames.ts'
import { FrameWriter } from '../../core/delos/wire/native/frame-writer.ts'
import { writeHello, type Hello } from '../../core/delos/wire/native/requests.ts'
import { readRefusal, readWelcome, type Refusal, type Welcome } from '../../core/delos/wire/native/responses.ts'
import type { Tls } from '../post.ts'

export interface LinkEvents {
  /** the server takes frames now */
  onWelcome: (welcome: Welcome) => void
  onRefused: (refusal: Refusal) => void
  /** @param body a frame's, from after its kind on; a view */
  onAnswers: (kind: number, body: Uint8Array) => void
  /** Once, and nothing after it: this connection is over. */
  onEnd: (reason: string) => void
}

/** One connection to one server. */
export interface Link {
  /** Takes the bytes over. */
  send(frame: Uint8Array): void
  /** Ends it, and says so by `onEnd`. */
  end(reason: string): void
}

/** An answer longer than this is not one of a server of ours. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024
const KEEP_ALIVE_MS = 5000

export function openLink(url: URL, tls: Tls, hello: Hello, dialMs: number, events: LinkEvents): Link {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || 2379)
  const socket: Socket = url.protocol === 'https:' ? connectTls({ host, port, ...given(tls) }) : connectPlain({ host, port })
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  const splitter = new FrameSplitter(FRAME_BYTES_MAX)
  let isOver = false
  const end = (reason: string): void => {
    if (isOver) return
    isOver = true
    clearTimeout(dialing)
    socket.destroy()
    events.onEnd(`${url.host}: ${reason}`)
  }
  const dialing = setTimeout(() => end(`no answer in ${dialMs} ms`), dialMs)
  const onFrame = (kind: number, body: Uint8Array): boolean => {
    if (kind === FRAME.written || kind === FRAME.readings) events.onAnswers(kind, body)
    else if (kind === FRAME.refused) {
      const refusal = readRefusal(body)
      if (refusal === null) return false
      events.onRefused(refusal)
    } else if (kind === FRAME.welcome) {
      const welcome = readWelcome(body)
      if (welcome === null) return false
      clearTimeout(dialing)
      events.onWelcome(welcome)
    } else return false
    return true
  }
  socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
    const writer = new FrameWriter(256)
    writer.raw(PREFACE)
    writeHello(writer, hello)
    socket.write(writer.take())
  })
  socket.on('data', (chunk: Buffer) => {
    // Not as a Buffer: slices of it have to be copies.
    splitter.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength), (frame) => {
      if (!isOver && !onFrame(frame[0] ?? 0, frame.subarray(1))) end('it answers in another form')
    })
    if (splitter.isBroken) end('it answers in another form')
  })
  socket.on('error', (error: NodeJS.ErrnoException) => end(error.message || (error.code ?? 'no answer')))
  socket.on('close', () => end('the connection ended'))
  return { send: (frame) => void socket.write(frame), end }
}

const given = (tls: Tls): Tls => Object.fromEntries(Object.entries(tls).filter(([, text]) => text !== undefined))
