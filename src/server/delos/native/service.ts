import { NOBODY, type Identity } from '../../../core/delos/kv/command.ts'
import { isRpcError, KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import { FRAME, OPS_MAX, READ_HEAD_BYTES, WRITE_HEAD_BYTES } from '../../../core/delos/wire/native/frames.ts'
import { OP, OpCursor } from '../../../core/delos/wire/native/ops.ts'
import { areOps, readHello, readReadHead, readWriteHead } from '../../../core/delos/wire/native/requests.ts'
import { REFUSED, writeAnswers, writeAnswersHead, writeRefusal, writeWelcome } from '../../../core/delos/wire/native/responses.ts'
import { codecOf, decode } from '../../../core/kernel/protobuf/codec.ts'
import { TXN_REQUEST } from '../../../core/delos/wire/protobuf/schemas/kv.ts'
import type { Call, EtcdService, RpcError } from '../../../core/delos/wire/service.ts'
import type { AnswerRoom } from '../store/answer-room.ts'
import { hasPut, type HeaderSource } from '../store/kv-service.ts'
import type { LongReads } from '../store/long-reads.ts'
import type { Identify } from '../store/identity.ts'
import type { Replica } from '../store/replica.ts'
import { ReadFrame } from './read-frame.ts'
import { NativeSocket, type NativeHandler, type OpenNative } from './connection.ts'

export interface NativeServiceOptions {
  replica: Replica
  identify: Identify
  headers: HeaderSource
  /** asked before what makes the store larger */
  onGrowth: () => RpcError | null
  /** why this server does not serve at all, or null */
  refusal: () => RpcError | null
  room: AnswerRoom
  longReads: LongReads
  authenticate: EtcdService['Auth/Authenticate']
  requestBytesMax: number
}

/** A frame may be this much longer than its largest operation, so that small ones fit beside it. */
const FRAME_SLACK_BYTES = 512 * 1024

const txnRequest = codecOf(TXN_REQUEST)

/** The native protocol on a store: a frame of writes becomes one entry of the log as it came, a frame of reads one look. */
export function nativeService(options: NativeServiceOptions): OpenNative {
  const frameBytesMax = options.requestBytesMax + FRAME_SLACK_BYTES
  return (socket, commonName) => {
    const peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`
    const call: Call = { token: '', commonName, peer, requiresLeader: false, onCancel: () => undefined }
    return new NativeSocket(socket, frameBytesMax, (connection) => new Client(options, connection, call, frameBytesMax))
  }
}

class Client implements NativeHandler {
  readonly #options: NativeServiceOptions
  readonly #connection: NativeSocket
  readonly #call: Call
  readonly #frameBytesMax: number
  #isWelcome = false
  /** it gave a name, though perhaps at a time when none was asked for */
  #hasName = false

  constructor(options: NativeServiceOptions, connection: NativeSocket, call: Call, frameBytesMax: number) {
    this.#options = options
    this.#connection = connection
    this.#call = call
    this.#frameBytesMax = frameBytesMax
  }

  onFrame(kind: number, body: Uint8Array): boolean {
    if (kind === FRAME.hello) return this.#hello(body)
    if (!this.#isWelcome) return false
    if (kind === FRAME.write) return this.#write(body)
    return kind === FRAME.read && this.#read(body)
  }

  #hello(body: Uint8Array): boolean {
    const hello = readHello(body)
    if (hello === null || this.#isWelcome) return false
    this.#call.token = hello.token
    this.#hasName = hello.user !== ''
    if (hello.user === '' || !this.#options.replica.store.isAuthEnabled) this.#welcome()
    else
      this.#options.authenticate({ name: hello.user, password: hello.password }, body, this.#call, (error, response) => {
        if (error !== null) return this.#refuse(REFUSED.hello, 0, -1, error)
        this.#call.token = (response as m.AuthenticateResponse).token
        this.#welcome()
      })
    return true
  }

  #welcome(): void {
    this.#isWelcome = true
    writeWelcome(this.#connection.out, { frameBytesMax: this.#frameBytesMax, opsMax: OPS_MAX, token: this.#call.token })
    this.#connection.flushSoon()
  }

  #who(): Identity | RpcError {
    const { replica, identify, refusal } = this.#options
    const refused = refusal() ?? replica.refusal
    if (refused !== null) return refused
    // Users were turned on since: it has to log in.
    if (this.#hasName && this.#call.token === '' && replica.store.isAuthEnabled) return KV_ERRORS.invalidAuthToken
    return identify(this.#call)
  }

  #write(body: Uint8Array): boolean {
    const head = readWriteHead(body)
    if (head === null || !areOps(body, WRITE_HEAD_BYTES, head.count, true)) return false
    const { replica } = this.#options
    const who = this.#who()
    if (isRpcError(who)) return this.#refuse(REFUSED.write, head.seq, -1, who)
    const fault = this.#faultOf(body, head.count)
    if (fault !== null) return this.#refuse(REFUSED.write, head.seq, fault.index, fault.error)
    this.#connection.pending(body.length)
    replica.submit({ kind: 'ops', frame: body, who }, body, (error, response) => {
      this.#connection.done(body.length)
      if (error !== null) return void this.#refuse(REFUSED.write, head.seq, -1, error)
      const { count, answers: given } = response as { count: number; answers: Uint8Array }
      writeAnswers(this.#connection.out, FRAME.written, head.seq, count, given)
      this.#connection.flushSoon()
    })
    return true
  }

  /** The first operation that no store would do. */
  #faultOf(body: Uint8Array, count: number): { index: number; error: RpcError } | null {
    const { replica, requestBytesMax, onGrowth } = this.#options
    const ops = new OpCursor(body, WRITE_HEAD_BYTES, count)
    let grows = false
    for (let index = 0; ops.next(); index += 1) {
      if (ops.end - ops.keyAt > requestBytesMax) return { index, error: KV_ERRORS.requestTooLarge }
      if (ops.kind === OP.txn) {
        const request = decode(txnRequest, ops.body)
        const error = request === null ? KV_ERRORS.badFrame : replica.store.check({ kind: 'txn', request, who: NOBODY })
        if (error !== null) return { index, error }
        grows ||= hasPut(request as m.TxnRequest)
      } else if (ops.keyAt === ops.keyEnd) return { index, error: KV_ERRORS.emptyKey }
      grows ||= ops.kind === OP.put
    }
    const error = grows ? onGrowth() : null
    return error === null ? null : { index: -1, error }
  }

  #read(body: Uint8Array): boolean {
    const head = readReadHead(body)
    if (head === null || !areOps(body, READ_HEAD_BYTES, head.count, false)) return false
    const { replica } = this.#options
    const who = this.#who()
    if (isRpcError(who)) return this.#refuse(REFUSED.read, head.id, -1, who)
    const frame = new ReadFrame(this.#options)
    const look = (): void => frame.look(replica.store, body, head.count, who)
    const answer = (): void =>
      frame.answer(
        () => !this.#connection.isOver,
        (given) => {
          this.#connection.done(body.length)
          if (isRpcError(given)) this.#refuse(REFUSED.read, head.id, -1, given)
          else this.#answer(head, given)
        },
      )
    this.#connection.pending(body.length)
    if (head.isSerializable) {
      look()
      answer()
      return true
    }
    replica.linearizable(look, (error) => {
      if (error === null) return answer()
      frame.close()
      this.#connection.done(body.length)
      this.#refuse(REFUSED.read, head.id, -1, error)
    })
    return true
  }

  #answer({ id, count }: { id: number; count: number }, parts: readonly Uint8Array[]): void {
    const [only, ...more] = parts
    if (only !== undefined && more.length === 0) {
      writeAnswers(this.#connection.out, FRAME.readings, id, count, only)
      this.#connection.flushSoon()
      return
    }
    writeAnswersHead(
      this.#connection.out,
      FRAME.readings,
      id,
      count,
      parts.reduce((sum, part) => sum + part.length, 0),
    )
    this.#connection.writeWith(parts)
  }

  #refuse(of: number, id: number, index: number, error: RpcError): boolean {
    writeRefusal(this.#connection.out, { of, id, index, error })
    this.#connection.flushSoon()
    return true
  }
}
