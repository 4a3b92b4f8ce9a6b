import { randomInt } from 'node:crypto'
import { MusterError } from '../../core/kernel/errors.ts'
import { IdMap } from '../../core/kernel/id-map.ts'
import { KV_ERRORS } from '../../core/delos/kv/errors.ts'
import type * as m from '../../core/delos/wire/messages.ts'
import { readAnswers, type AnswerListener } from '../../core/delos/wire/native/answers.ts'
import { FRAME, OPS_MAX, READ_HEAD_BYTES, SERIALIZABLE, WRITE_HEAD_BYTES } from '../../core/delos/wire/native/frames.ts'
import { FrameWriter } from '../../core/delos/wire/native/frame-writer.ts'
import { OP, OP_KEY_BYTES_MAX, OpCursor } from '../../core/delos/wire/native/ops.ts'
import { writeOpening } from '../../core/delos/wire/native/requests.ts'
import { ANSWERS_HEAD_BYTES, readAnswersHead, REFUSED, type Refusal, type Welcome } from '../../core/delos/wire/native/responses.ts'
import { codecOf, decode } from '../../core/kernel/protobuf/codec.ts'
import { encode } from '../../core/kernel/protobuf/encode.ts'
import { RANGE_REQUEST, RANGE_RESPONSE, TXN_REQUEST, TXN_RESPONSE } from '../../core/delos/wire/protobuf/schemas/kv.ts'
import type { RpcError } from '../../core/delos/wire/service.ts'
import type { Tls } from '../post.ts'
import { isNotDone, isTokenOver, isUnclear, refusal } from '../refusal.ts'
import { Collector, FRAME_START_BYTES, keyOf, type Frame, type Waiting } from './collector.ts'
import { openLink, type Link } from './link.ts'

export interface NativeOptions {
  /** `http://HOST:PORT` or `https://…` of servers of Muster; tried in turn, beginning with the one that answered last */
  endpoints: readonly string[]
  user?: string
  password?: string
  tls?: Tls
  /** a server that answers nothing for so long is left for the next one */
  answerMs?: number
  /** how long an operation waits for servers that are away */
  patienceMs?: number
}

/** Keys and values: text goes out in UTF-8. */
export type Bytes = string | Uint8Array

/**
 * A client for many operations at once: what is asked in one turn of the event loop leaves in one frame, and frames are sent without
 * waiting for the answers of those before. Operations that are under way together may be done in any order. A change is asked again
 * under its old number until its outcome is known, and is done at most once. Every call rejects with a MusterError: the store's refusal;
 * UNAVAILABLE: not done, no server took it; DELOS_OUTCOME_UNKNOWN: it may or may not have been done.
 */
export interface NativeClient {
  /** @returns the revision of the change */
  put: (key: Bytes, value: Bytes) => Promise<number>
  /** @returns the revision of the change; null: there was no such key */
  delete: (key: Bytes) => Promise<number | null>
  /** As of everything acknowledged before the call. Null: there is no such key. */
  get: (key: Bytes) => Promise<m.KeyValue | null>
  range: (request: m.RangeRequest) => Promise<m.RangeResponse>
  /** The header of its answer carries the revision alone. */
  txn: (request: m.TxnRequest) => Promise<m.TxnResponse>
  /** operations that wait for their answer */
  readonly waiting: number
  /** Rejects what is under way. */
  close: () => void
}

/** Frames of changes under way; half of what a session allows, so that a frame that is asked again finds room. */
const WRITES_MAX = 32
const READS_MAX = 32
/** Operations that wait; beyond it new ones are refused. */
const WAITING_MAX = 200_000
/** Bytes of a server's limit that is not known yet. */
const FRAME_BYTES_MAX = 2 * 1024 * 1024
const LOOK_MS = 100
const PAUSE_MIN_MS = 20
const PAUSE_MAX_MS = 500
const BUSY_MS = 50
const SESSION_MAX = 2 ** 48 - 1

const rangeRequest = codecOf(RANGE_REQUEST)
const rangeResponse = codecOf(RANGE_RESPONSE)
const txnRequest = codecOf(TXN_REQUEST)
const txnResponse = codecOf(TXN_RESPONSE)

/** Nothing is connected before the first call. */
export function connectNative(options: NativeOptions): NativeClient {
  return new Client(options)
}

class Client implements NativeClient {
  readonly #options: NativeOptions
  readonly #endpoints: URL[]
  #current = 0
  #link: Link | null = null
  #isWelcome = false
  #isKnown = false
  #failures = 0
  #redial: NodeJS.Timeout | null = null
  #token = ''
  #isClosed = false

  #opsMax = OPS_MAX
  #frameBytesMax = FRAME_BYTES_MAX
  #session = randomInt(1, SESSION_MAX)
  #isSessionOpen = false
  #seq = 0
  #id = 0
  readonly #writes = new Collector(FRAME.write, WRITE_HEAD_BYTES)
  readonly #reads = new Collector(FRAME.read, READ_HEAD_BYTES)
  readonly #lazyReads = new Collector(FRAME.read, READ_HEAD_BYTES)
  /** in the order they will be sent */
  readonly #queue: Frame[] = []
  readonly #readQueue: Frame[] = []
  /** by seq, in the order they were first sent */
  readonly #underWay = new IdMap<Frame>()
  readonly #readsUnderWay = new IdMap<Frame>()
  #isFlushDue = false
  #notBeforeMs = 0
  #looking: NodeJS.Timeout | null = null
  waiting = 0

  constructor(options: NativeOptions) {
    this.#options = options
    this.#endpoints = options.endpoints.map(urlOf)
    if (this.#endpoints.length === 0) throw new MusterError('USAGE', 'no endpoint was given')
  }

  put(key: Bytes, value: Bytes): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#add(this.#writes, OP.put, key, value, { changed: resolve, reject })
    })
  }

  delete(key: Bytes): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#add(this.#writes, OP.delete, key, '', { changed: resolve, nothing: () => resolve(null), reject })
    })
  }

  get(key: Bytes): Promise<m.KeyValue | null> {
    return new Promise((resolve, reject) => {
      const found = (kv: Omit<m.KeyValue, 'key'>): void => resolve({ ...kv, key: keyOf(key), value: kv.value.slice() })
      this.#add(this.#reads, OP.get, key, '', { found, nothing: () => resolve(null), reject })
    })
  }

  range(request: m.RangeRequest): Promise<m.RangeResponse> {
    const reads = request.serializable ? this.#lazyReads : this.#reads
    return this.#ask(reads, OP.range, encode(rangeRequest, request), rangeResponse)
  }

  txn(request: m.TxnRequest): Promise<m.TxnResponse> {
    return this.#ask(this.#writes, OP.txn, encode(txnRequest, request), txnResponse)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#redial !== null) clearTimeout(this.#redial)
    if (this.#looking !== null) clearInterval(this.#looking)
    this.#link?.end('the client was closed')
    this.#rejectAll((frame) => this.#giveUp(frame, 'the client was closed'))
  }

  // ------------------------------------------------------------------------------------------------- asking

  #ask<Response>(to: Collector, kind: number, body: Uint8Array, codec: Parameters<typeof decode<Response>>[0]): Promise<Response> {
    return new Promise((resolve, reject) => {
      const message = (bytes: Uint8Array): void => {
        const response = decode(codec, bytes.slice())
        if (response === null) reject(new MusterError('UNAVAILABLE', OTHER_FORM))
        else resolve(response)
      }
      this.#add(to, kind, '', body, { message, reject })
    })
  }

  #add(to: Collector, kind: number, key: Bytes, body: Bytes, waiting: Waiting): void {
    if (this.#isClosed) return waiting.reject(new MusterError('UNAVAILABLE', 'the client was closed'))
    if (this.waiting >= WAITING_MAX) return waiting.reject(new MusterError('UNAVAILABLE', `${WAITING_MAX} operations already wait`))
    const isMessage = kind === OP.txn || kind === OP.range
    if (!isMessage && key.length === 0) return waiting.reject(refusal(KV_ERRORS.emptyKey))
    // A character is up to three bytes.
    if (key.length > 21_000 || key.length + body.length * 3 > this.#frameBytesMax) {
      const bytes = lengthOf(key) + lengthOf(body)
      if (lengthOf(key) > OP_KEY_BYTES_MAX || bytes + WRITE_HEAD_BYTES + FRAME_START_BYTES > this.#frameBytesMax)
        return waiting.reject(refusal(KV_ERRORS.requestTooLarge))
    }
    to.add(kind, key, body, waiting, to.count === 0 ? performance.now() + (this.#options.patienceMs ?? 10_000) : 0)
    this.waiting += 1
    if (to.isFull(this.#opsMax)) this.#seal(to)
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS)
    if (this.#link === null) this.#dial()
    this.#flushSoon()
  }

  #seal(collector: Collector): void {
    if (collector.count === 0) return
    const frame = collector.take()
    if (collector === this.#writes) this.#queue.push(frame)
    else {
      if (collector === this.#lazyReads) frame.bytes[FRAME_START_BYTES + 8] = SERIALIZABLE
      this.#readQueue.push(frame)
    }
  }

  /** At the end of the turn: all that was asked in it leaves together. */
  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    setImmediate(() => {
      this.#isFlushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    const link = this.#link
    if (link === null || !this.#isWelcome) return
    const now = performance.now()
    if (now < this.#notBeforeMs) return
    while (this.#readsUnderWay.size < READS_MAX) {
      if (this.#readQueue.length === 0) this.#seal(this.#reads)
      if (this.#readQueue.length === 0) this.#seal(this.#lazyReads)
      const frame = this.#readQueue.shift()
      if (frame === undefined) break
      this.#id += 1
      frame.id = this.#id
      viewOf(frame).setFloat64(FRAME_START_BYTES, frame.id)
      this.#readsUnderWay.set(frame.id, frame)
      this.#send(link, frame, now)
    }
    while (this.#isSessionOpen && this.#seq + 1 - this.#floor() < WRITES_MAX) {
      if (this.#queue.length === 0) this.#seal(this.#writes)
      const frame = this.#queue.shift()
      if (frame === undefined) break
      this.#seq += 1
      frame.id = this.#seq
      frame.session = this.#session
      const view = viewOf(frame)
      view.setFloat64(FRAME_START_BYTES, frame.session)
      view.setFloat64(FRAME_START_BYTES + 8, frame.id)
      this.#underWay.set(frame.id, frame)
      view.setFloat64(FRAME_START_BYTES + 16, this.#floor())
      this.#send(link, frame, now)
    }
  }

  #send(link: Link, frame: Frame, now: number): void {
    frame.sentAtMs = now
    link.send(frame.bytes)
  }

  /** The answers of all writes below are known. */
  #floor(): number {
    return this.#underWay.ids()[0] ?? this.#seq + 1
  }

  // ---------------------------------------------------------------------------------------------- connecting

  #dial(): void {
    if (this.#isClosed || this.#link !== null || this.#redial !== null) return
    const { user = '', password = '', answerMs = 5000 } = this.#options
    const hello = this.#token === '' ? { token: '', user, password } : { token: this.#token, user: '', password: '' }
    const url = this.#endpoints[this.#current] as URL
    const link = openLink(url, this.#options.tls ?? {}, hello, answerMs, {
      onWelcome: (welcome) => this.#onWelcome(welcome),
      onRefused: (refused) => this.#onRefused(refused),
      onAnswers: (kind, body) => this.#onAnswers(kind, body),
      onEnd: (reason) => {
        if (this.#link === link) this.#onEnd(reason)
      },
    })
    this.#link = link
  }

  #onWelcome({ frameBytesMax, opsMax, token }: Welcome): void {
    const link = this.#link as Link
    this.#isWelcome = true
    this.#isKnown = true
    this.#failures = 0
    this.#frameBytesMax = frameBytesMax
    this.#opsMax = Math.min(OPS_MAX, opsMax)
    this.#token = token
    const now = performance.now()
    for (const frame of [...this.#underWay.values(), ...this.#readsUnderWay.values()]) this.#send(link, frame, now)
    if (!this.#isSessionOpen) this.#openSession(link)
    this.#flush()
  }

  #openSession(link: Link): void {
    const writer = new FrameWriter(64)
    writeOpening(writer, this.#session, this.#floor())
    link.send(writer.take())
  }

  #onEnd(reason: string): void {
    this.#link = null
    this.#isWelcome = false
    this.#failures += 1
    for (const frame of this.#underWay.values()) frame.mayBeDone = true
    this.#current = (this.#current + 1) % this.#endpoints.length
    if (this.#isClosed) return
    const rounds = this.#failures / this.#endpoints.length
    // Servers of which none was ever there are not waited for.
    if (rounds >= 1 && !this.#isKnown) this.#rejectAll((frame) => this.#giveUp(frame, reason))
    if (this.waiting === 0) return
    const pauseMs = rounds < 1 ? 0 : Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(10, rounds))
    this.#redial = setTimeout(() => {
      this.#redial = null
      this.#dial()
    }, pauseMs)
  }

  /** Now and then: whose time is over, and a server that says nothing. */
  #look(): void {
    const now = performance.now()
    for (const collector of [this.#writes, this.#reads, this.#lazyReads]) this.#seal(collector)
    const expired = (frames: Iterable<Frame>): Frame[] => [...frames].filter(({ untilMs }) => now > untilMs)
    for (const frame of expired([...this.#queue, ...this.#underWay.values(), ...this.#readQueue, ...this.#readsUnderWay.values()]))
      this.#giveUp(frame, 'no answer in time')
    const { answerMs = 5000 } = this.#options
    for (const { sentAtMs } of [...this.#underWay.values(), ...this.#readsUnderWay.values()]) {
      if (this.#isWelcome && now - sentAtMs > answerMs) {
        this.#link?.end(`no answer in ${answerMs} ms`)
        break
      }
    }
    if (this.waiting > 0) this.#flushSoon()
    else if (this.#looking !== null) {
      clearInterval(this.#looking)
      this.#looking = null
    }
  }

  // ------------------------------------------------------------------------------------------------- answers

  #onAnswers(kind: number, body: Uint8Array): void {
    const head = readAnswersHead(body)
    if (head === null) return this.#link?.end(OTHER_FORM)
    const isWrite = kind === FRAME.written
    if (isWrite && head.id === 0) {
      this.#isSessionOpen = true
      return this.#flush()
    }
    const under = isWrite ? this.#underWay : this.#readsUnderWay
    const frame = under.get(head.id)
    // It was given up meanwhile.
    if (frame === undefined) return
    under.delete(head.id)
    this.waiting -= frame.waiting.length
    const isWhole = head.count === frame.waiting.length && readAnswers(body, ANSWERS_HEAD_BYTES, head.count, listenerOf(frame.waiting))
    if (!isWhole) {
      const error = new MusterError(isWrite ? 'DELOS_OUTCOME_UNKNOWN' : 'UNAVAILABLE', OTHER_FORM)
      // Those that were answered before the fault have their answer.
      for (const { reject } of frame.waiting) reject(error)
      return this.#link?.end(OTHER_FORM)
    }
    this.#flushSoon()
  }

  #onRefused({ of, id, index, error }: Refusal): void {
    if (of === REFUSED.hello || (of === REFUSED.write && id === 0)) return this.#onShutOut(error)
    const isWrite = of === REFUSED.write
    const frame = (isWrite ? this.#underWay : this.#readsUnderWay).get(id)
    if (frame === undefined) return
    if (index >= 0) this.#refuseOne(frame, index, error)
    else if (isTokenOver(error) && this.#options.user !== undefined && !frame.hasNewToken) {
      frame.hasNewToken = true
      this.#token = ''
      this.#link?.end(error.text)
    } else if (error.text === KV_ERRORS.sessionUnknown.text) this.#onSessionGone(frame, error)
    else if (error.text === KV_ERRORS.answersLost.text) this.#reject(frame, new MusterError('DELOS_OUTCOME_UNKNOWN', error.text))
    else if (error.text === BUSY) {
      this.#notBeforeMs = performance.now() + BUSY_MS
      setTimeout(() => {
        if (this.#isWelcome && (this.#underWay.get(id) === frame || this.#readsUnderWay.get(id) === frame))
          this.#send(this.#link as Link, frame, performance.now())
        this.#flush()
      }, BUSY_MS)
    } else if (isNotDone(error) || isUnclear(error)) this.#link?.end(error.text)
    else if (frame.mayBeDone) this.#reject(frame, new MusterError('DELOS_OUTCOME_UNKNOWN', error.text))
    else this.#reject(frame, refusal(error))
  }

  /** Neither our name nor our session is taken: for good, or until another server or another token does better. */
  #onShutOut(error: RpcError): void {
    const isForGood = !isUnclear(error) && !(isTokenOver(error) && this.#token !== '' && this.#options.user !== undefined)
    this.#token = ''
    if (isForGood) this.#rejectAll((frame) => this.#reject(frame, refusal(error)))
    this.#link?.end(error.text)
  }

  /** The store forgot who we are: what was sent once is certainly not done, and is asked in a new session. */
  #onSessionGone(frame: Frame, error: RpcError): void {
    if (frame.session === this.#session) {
      this.#session = randomInt(1, SESSION_MAX)
      this.#isSessionOpen = false
      this.#openSession(this.#link as Link)
    }
    if (frame.mayBeDone) return this.#reject(frame, new MusterError('DELOS_OUTCOME_UNKNOWN', error.text))
    this.#underWay.delete(frame.id)
    this.#queue.unshift(frame)
    this.#flushSoon()
  }

  /** One operation that no store would do; the others, of which none was done, are asked again. */
  #refuseOne(frame: Frame, index: number, error: RpcError): void {
    // Servers may differ in what they take.
    if (frame.mayBeDone) return this.#reject(frame, new MusterError('DELOS_OUTCOME_UNKNOWN', error.text))
    this.#underWay.delete(frame.id)
    const [refused] = frame.waiting.splice(index, 1)
    this.waiting -= 1
    refused?.reject(refusal(error))
    if (frame.waiting.length > 0) {
      const bytes = without(frame.bytes, index)
      this.#queue.unshift({ ...frame, bytes, id: 0 })
    }
    this.#flushSoon()
  }

  #giveUp(frame: Frame, why: string): void {
    const isChangeUnderWay = this.#underWay.get(frame.id) === frame
    this.#reject(
      frame,
      isChangeUnderWay
        ? new MusterError('DELOS_OUTCOME_UNKNOWN', why)
        : new MusterError('UNAVAILABLE', why, { hint: 'Check the endpoints, and that they are servers of Muster.' }),
    )
  }

  #reject(frame: Frame, error: MusterError): void {
    for (const [list, under] of [
      [this.#queue, this.#underWay],
      [this.#readQueue, this.#readsUnderWay],
    ] as const) {
      const at = list.indexOf(frame)
      if (at >= 0) list.splice(at, 1)
      if (under.get(frame.id) === frame) under.delete(frame.id)
    }
    this.waiting -= frame.waiting.length
    for (const { reject } of frame.waiting) reject(error)
  }

  #rejectAll(each: (frame: Frame) => void): void {
    for (const collector of [this.#writes, this.#reads, this.#lazyReads]) this.#seal(collector)
    const frames = [...this.#queue, ...this.#underWay.values(), ...this.#readQueue, ...this.#readsUnderWay.values()]
    for (const frame of frames) each(frame)
  }
}

const OTHER_FORM = 'a server answers in another form'
const BUSY = 'etcdserver: too many requests'

function listenerOf(waiting: readonly Waiting[]): AnswerListener {
  /** An answer of a kind that was not asked for is a defect of the server, which must not leave its caller waiting. */
  const at = <Kind extends keyof Waiting>(index: number, kind: Kind): NonNullable<Waiting[Kind]> =>
    waiting[index]?.[kind] ?? (() => waiting[index]?.reject(new MusterError('UNAVAILABLE', OTHER_FORM)))
  return {
    changed: (index, revision) => at(index, 'changed')(revision),
    nothing: (index, revision) => at(index, 'nothing')(revision),
    refused: (index, error) => waiting[index]?.reject(refusal(error)),
    message: (index, bytes) => at(index, 'message')(bytes),
    found: (index, found) => at(index, 'found')(found),
  }
}

/** A write without one of its operations. */
function without(bytes: Uint8Array, index: number): Uint8Array {
  const headEnd = FRAME_START_BYTES + WRITE_HEAD_BYTES
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = view.getUint16(headEnd - 2)
  const ops = new OpCursor(bytes, headEnd, count)
  for (let i = 0; i < index; i += 1) ops.next()
  const start = ops.end
  ops.next()
  const rest = new Uint8Array(bytes.length - (ops.end - start))
  rest.set(bytes.subarray(0, start))
  rest.set(bytes.subarray(ops.end), start)
  const head = new DataView(rest.buffer)
  head.setUint32(0, rest.length - 4)
  head.setUint16(headEnd - 2, count - 1)
  return rest
}

const viewOf = ({ bytes }: Frame): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const lengthOf = (data: Bytes): number => (typeof data === 'string' ? Buffer.byteLength(data) : data.length)

function urlOf(text: string): URL {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`)
  if (url === null) throw new MusterError('USAGE', `"${text}" is not an endpoint such as http://127.0.0.1:2379`)
  return url
}
