import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import { CHANNEL, type Peers } from '../quorum/peers.ts'

/*
 * What servers say to each other about the chain. A frame begins with its kind, u8:
 *
 *   0 a message of the register   1 a question, JSON   2 its answer, JSON   3 batches: id u32, then of each position f64, length u32, bytes
 */
const KIND = { register: 0, ask: 1, answer: 2, batches: 3 } as const
const ANSWER_MS = 3000
/** Files are written and synced before this is answered, on a disk that others use, too. */
const PREPARED_MS = 15_000
const HEAD_BYTES = 12

/** Make files for a loglet that may become part of the chain, and promise `ballot` in it; give them up again; give batches that are committed in one. */
export type Question =
  | { what: 'prepare'; loglet: number; kind: string; config: Record<string, unknown>; ballot?: number }
  | { what: 'abandon'; loglet: number }
  | { what: 'read'; loglet: number; from: number }

/** `problem` null: done. `promised`: what was promised in a loglet that was made ready */
export interface Told {
  problem: string | null
  promised?: number
}

export interface ChainEars {
  register: (from: bigint, frame: Uint8Array) => void
  /** an answer, or batches; null: this server has none to give */
  ask: (from: bigint, question: Question) => Promise<Told | LogletEntry[] | null>
}

/** Asks and answers between servers about the chain, over the connections that the log uses. */
export class ChainChannel {
  readonly #peers: Peers
  readonly #ears: ChainEars
  readonly #waiting = new Map<number, (answer: Told | LogletEntry[] | null) => void>()
  readonly #stop: () => void
  #lastId = 0

  constructor(peers: Peers, ears: ChainEars) {
    this.#peers = peers
    this.#ears = ears
    this.#stop = peers.onFrame(CHANNEL.chain, (from, frame) => this.#onFrame(from, frame))
  }

  sendRegister(to: bigint, message: Uint8Array): void {
    this.#send(to, KIND.register, message)
  }

  /** Null: not answered in time, or nothing to answer. */
  ask(to: bigint, question: Question): Promise<Told | LogletEntry[] | null> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#waiting.get(id)?.(null), question.what === 'prepare' ? PREPARED_MS : ANSWER_MS)
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(answer)
      })
      this.#send(to, KIND.ask, Buffer.from(JSON.stringify({ id, question })))
    })
  }

  close(): void {
    this.#stop()
    for (const resolve of this.#waiting.values()) resolve(null)
  }

  #send(to: bigint, kind: number, bytes: Uint8Array): void {
    const frame = Buffer.allocUnsafe(1 + bytes.length)
    frame[0] = kind
    frame.set(bytes, 1)
    this.#peers.send(to, CHANNEL.chain, frame)
  }

  #onFrame(from: bigint, frame: Uint8Array): void {
    const body = Buffer.from(frame.buffer, frame.byteOffset + 1, frame.byteLength - 1)
    if (frame[0] === KIND.register) this.#ears.register(from, body)
    else if (frame[0] === KIND.batches) this.#waiting.get(body.readUInt32LE(0))?.(batchesOf(body))
    else if (frame[0] === KIND.answer) {
      const { id, told } = JSON.parse(body.toString('utf8')) as { id: number; told: Told | null }
      this.#waiting.get(id)?.(told)
    } else if (frame[0] === KIND.ask) {
      const { id, question } = JSON.parse(body.toString('utf8')) as { id: number; question: Question }
      void this.#ears.ask(from, question).then((answer) => {
        if (Array.isArray(answer)) this.#send(from, KIND.batches, bytesOf(id, answer))
        else this.#send(from, KIND.answer, Buffer.from(JSON.stringify({ id, told: answer })))
      })
    }
  }
}

function bytesOf(id: number, entries: readonly LogletEntry[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 + entries.reduce((sum, { payload }) => sum + HEAD_BYTES + payload.length, 0))
  bytes.writeUInt32LE(id, 0)
  let at = 4
  for (const { position, payload } of entries) {
    bytes.writeDoubleLE(position, at)
    bytes.writeUInt32LE(payload.length, at + 8)
    bytes.set(payload, at + HEAD_BYTES)
    at += HEAD_BYTES + payload.length
  }
  return bytes
}

function batchesOf(bytes: Buffer): LogletEntry[] {
  const entries: LogletEntry[] = []
  for (let at = 4; at < bytes.length;) {
    const end = at + HEAD_BYTES + bytes.readUInt32LE(at + 8)
    entries.push({ position: bytes.readDoubleLE(at), payload: bytes.subarray(at + HEAD_BYTES, end) })
    at = end
  }
  return entries
}
