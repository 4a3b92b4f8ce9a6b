import type { Identity } from '../../../core/delos/kv/command.ts'
import { isRpcError, KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type { Reading } from '../../../core/delos/kv/reading.ts'
import type { KvStore } from '../../../core/delos/kv/store-contract.ts'
import { byteString } from '../../../core/kernel/protobuf/byte-string.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import { AnswerWriter } from '../../../core/delos/wire/native/answers.ts'
import { READ_HEAD_BYTES } from '../../../core/delos/wire/native/frames.ts'
import { OP, OpCursor } from '../../../core/delos/wire/native/ops.ts'
import { pairBytes } from '../../../core/delos/wire/pair-bytes.ts'
import { codecOf, decode } from '../../../core/kernel/protobuf/codec.ts'
import { encode } from '../../../core/kernel/protobuf/encode.ts'
import type { Pieces } from '../../../core/kernel/protobuf/codec.ts'
import { RANGE_REQUEST, RANGE_RESPONSE } from '../../../core/delos/wire/protobuf/schemas/kv.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import { TOO_MANY, type AnswerRoom } from '../store/answer-room.ts'
import { sealHeader, type HeaderSource } from '../store/kv-service.ts'
import type { LongReads } from '../store/long-reads.ts'

/** Bytes that are encoded in one turn of the event loop. */
const SLICE_BYTES = 1_048_576

const rangeRequest = codecOf(RANGE_REQUEST)
const rangeResponse = codecOf(RANGE_RESPONSE)
/** Of answers that are written in one go. */
const shared = new AnswerWriter()

/** What one operation found; of a range, what is still to be read. */
interface Look {
  isGet: boolean
  found: m.RangeResponse | RpcError | Reading<m.RangeResponse>
}

export interface ReadFrameOptions {
  headers: HeaderSource
  room: AnswerRoom
  longReads: LongReads
}

/** The operations of one frame of reads, all as of one moment, that of `look`: keys at once, ranges in slices when they are long. */
export class ReadFrame {
  readonly #options: ReadFrameOptions
  #looks: Look[] = []

  constructor(options: ReadFrameOptions) {
    this.#options = options
  }

  /** @param body of the frame, after its kind. A later look takes the place of an earlier one. */
  look(store: KvStore, body: Uint8Array, count: number, who: Identity): void {
    this.close()
    const ops = new OpCursor(body, READ_HEAD_BYTES, count)
    while (ops.next()) {
      const isGet = ops.kind === OP.get
      if (isGet) this.#looks.push({ isGet, found: store.range(getOf(byteString(body, ops.keyAt, ops.keyEnd)), who) })
      else {
        const request = decode(rangeRequest, ops.body)
        this.#looks.push({ isGet, found: request === null ? KV_ERRORS.badFrame : store.openRange(request, who) })
      }
    }
  }

  /** Nobody wants it. */
  close(): void {
    for (const { found } of this.#looks) if (isReading(found)) found.close()
    this.#looks = []
  }

  /**
   * Reads and encodes what was looked at.
   * @param isWanted false: the client is gone, and `done` is not called
   * @param done given the answers, in order, in as many pieces as there are
   */
  answer(isWanted: () => boolean, done: (answers: RpcError | Uint8Array[]) => void): void {
    const looks = this.#looks
    const { longReads, room } = this.#options
    const readFrom = (start: number): void => {
      for (let i = start; i < looks.length; i += 1) {
        const look = looks[i]
        if (look === undefined || !isReading(look.found)) continue
        if (!isWanted()) return this.close()
        let [isLater, isDone] = [false, false]
        longReads.read(look.found, { isWanted: () => true, room }, (found) => {
          look.found = found
          isDone = true
          if (isLater) readFrom(i + 1)
        })
        isLater = true
        if (!isDone) return
      }
      this.#encode(isWanted, done)
    }
    readFrom(0)
  }

  #encode(isWanted: () => boolean, done: (answers: RpcError | Uint8Array[]) => void): void {
    const found = this.#looks as (Look & { found: m.RangeResponse | RpcError })[]
    const { longReads, room } = this.#options
    // Of all that the frame asks for: its answers leave together.
    let bytes = 0
    for (const look of found) {
      if (isRpcError(look.found)) continue
      bytes += pairBytes(look.found)
      look.found = room(bytes) ?? look.found
    }
    if (bytes <= SLICE_BYTES) {
      for (const look of found) {
        const pieces = this.#write(shared, look)
        for (let piece = pieces?.next() ?? null; piece !== null; piece = pieces?.next() ?? null) shared.raw(piece)
      }
      return done([shared.take()])
    }
    const parts: Uint8Array[] = []
    const writer = new AnswerWriter()
    let at = 0
    let pieces: Pieces | null = null
    const slice = (): boolean => {
      if (!isWanted()) return false
      for (let made = 0; made < SLICE_BYTES;) {
        const piece = pieces?.next() ?? null
        if (piece !== null) {
          parts.push(piece)
          made += piece.length
          continue
        }
        const look = found[at]
        at += 1
        if (look === undefined) {
          parts.push(writer.take())
          done(parts)
          return false
        }
        pieces = this.#write(writer, look)
        if (pieces !== null) parts.push(writer.take())
      }
      return true
    }
    if (!longReads.run(slice)) done(TOO_MANY)
  }

  /** @returns what follows what was written */
  #write(writer: AnswerWriter, { isGet, found }: Look & { found: m.RangeResponse | RpcError }): Pieces | null {
    if (isRpcError(found)) writer.refused(found)
    else if (!isGet) {
      const sealed = sealHeader(found, this.#options.headers)
      const pieces = rangeResponse.pieces?.(sealed) ?? null
      if (pieces === null) writer.message(encode(rangeResponse, sealed))
      else writer.messageOf(pieces.length)
      return pieces
    } else if (found.kvs[0] === undefined) writer.nothing(found.header.revision)
    else writer.found(found.kvs[0])
    return null
  }
}

const isReading = (found: Look['found']): found is Reading<m.RangeResponse> => 'step' in found

const getOf = (key: string): m.RangeRequest => ({
  key,
  range_end: '',
  limit: 0,
  revision: 0,
  sort_order: 0,
  sort_target: 0,
  serializable: false,
  keys_only: false,
  count_only: false,
  min_mod_revision: 0,
  max_mod_revision: 0,
  min_create_revision: 0,
  max_create_revision: 0,
})
