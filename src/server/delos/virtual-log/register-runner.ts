import { randomInt } from 'node:crypto'
import { createPrng } from '../../../core/kernel/prng.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import { createRegister, stepRegister, type Register } from '../../../core/delos/virtual-log/register.ts'
import type {
  EtcdAnswer,
  EtcdRequest,
  RegisterInput,
  RegisterOutput,
  RegisterReply,
  RegisterState,
} from '../../../core/delos/virtual-log/register-contract.ts'
import { decodeRegisterMessage, encodeRegisterMessage } from '../../../core/delos/virtual-log/register-messages.ts'
import type { RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import type { RegisterDisk } from './register-disk.ts'

export interface RegisterRunnerOptions {
  self: number
  disk: RegisterDisk
  /** as the disk has it */
  state: RegisterState
  /** gives a message to a server by its number; it may get lost */
  send: (to: number, frame: Uint8Array) => void
  /** each value that is decided and on the disk, ascending */
  onKnown: (value: RegisterValue) => void
  /** everything before the last segment is on this server's disk */
  isCaughtUp: () => boolean
  /** this server was removed, and those who remain need it no more */
  onReleased: () => void
  askEtcd: (request: EtcdRequest) => Promise<EtcdAnswer>
  onFatal: (error: MusterError) => void
}

/**
 * What is known to be decided and was acted on already is written after this: nobody waits for it, and the disk is the first batches' of the
 * loglet that it names.
 */
const ACTED_ON_MS = 50

type Persisted = RegisterOutput['persist'][number]

/** The register's machine with a real disk, sockets and time. */
export class RegisterRunner {
  readonly #options: RegisterRunnerOptions
  readonly #register: Register
  readonly #inputs: RegisterInput[] = []
  readonly #waiting = new Map<number, (reply: RegisterReply) => void>()
  #isStepping = false
  #isClosed = false
  #timer: NodeJS.Timeout | null = null
  /** what is not given to the disk yet; a newer state takes its place */
  #later: { write: Persisted; timer: NodeJS.Timeout } | null = null
  #requestId = 0

  constructor(options: RegisterRunnerOptions) {
    this.#options = options
    this.#register = createRegister(options.self, options.state, createPrng(randomInt(1, 2 ** 31)), performance.now())
  }

  start(): void {
    this.#feed({ kind: 'tick', now: performance.now() })
  }

  /** The newest version that this server knows to be decided. */
  get held(): RegisterValue | null {
    return this.#register.state.held
  }

  propose(value: RegisterValue): Promise<RegisterReply> {
    this.#requestId += 1
    const requestId = this.#requestId
    return new Promise((resolve) => {
      this.#waiting.set(requestId, resolve)
      this.#feed({ kind: 'propose', now: performance.now(), requestId, value })
    })
  }

  /** A proposal is to come, and its time is precious. */
  reserve(): void {
    this.#feed({ kind: 'reserve', now: performance.now() })
  }

  receive(from: number, frame: Uint8Array): void {
    const message = decodeRegisterMessage(frame)
    if (message === null) return
    this.#feed({ kind: 'message', now: performance.now(), from, message, isCaughtUp: this.#options.isCaughtUp() })
  }

  /** That server speaks with this one no more, which was removed. */
  bidFarewell(from: number): void {
    const message = { kind: 'holds' as const, version: this.held?.version ?? 1 }
    this.#feed({ kind: 'message', now: performance.now(), from, message })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const [requestId, resolve] of this.#waiting) resolve({ kind: 'unknown', requestId })
    this.#waiting.clear()
    if (this.#later !== null) this.#write(this.#later.write)
    await this.#options.disk.close()
  }

  #feed(input: RegisterInput): void {
    if (this.#isClosed) return
    this.#inputs.push(input)
    if (this.#isStepping) return
    this.#isStepping = true
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
      this.#carryOut(stepRegister(this.#register, next))
    this.#isStepping = false
  }

  #carryOut(output: RegisterOutput): void {
    const { send, askEtcd, onKnown, onReleased } = this.#options
    const last = output.persist.at(-1)
    if (last !== undefined) {
      const isActedOn = last.state.held !== null && output.known.includes(last.state.held)
      if (isActedOn) this.#writeLater(last)
      else this.#write(last)
    }
    for (const { to, message } of output.send) send(to, encodeRegisterMessage(message))
    for (const request of output.etcd)
      void askEtcd(request).then((answer) => this.#feed({ kind: 'etcd', now: performance.now(), requestId: request.requestId, answer }))
    for (const value of output.known) onKnown(value)
    if (output.isReleased) onReleased()
    for (const reply of output.replies) {
      this.#waiting.get(reply.requestId)?.(reply)
      this.#waiting.delete(reply.requestId)
    }
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => this.#feed({ kind: 'tick', now: performance.now() }),
      Math.min(2 ** 30, Math.max(0, Math.ceil(output.wakeAt - performance.now()))),
    )
    this.#timer.unref()
  }

  #writeLater(write: Persisted): void {
    if (this.#later !== null) clearTimeout(this.#later.timer)
    this.#later = { write, timer: setTimeout(() => this.#write(write), ACTED_ON_MS) }
  }

  /** It holds all that was to be written before. */
  #write({ id, state }: Persisted): void {
    if (this.#later !== null) clearTimeout(this.#later.timer)
    this.#later = null
    this.#options.disk.write(state).then(
      () => this.#feed({ kind: 'persisted', now: performance.now(), upTo: id }),
      (error: unknown) => {
        if (!this.#isClosed) this.#options.onFatal(isRefusal(error) ? error : new MusterError('DELOS_DISK_FAILED', String(error)))
      },
    )
  }
}
