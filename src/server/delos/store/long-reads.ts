import type { Reading } from '../../../core/delos/kv/reading.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import { TOO_MANY, type AnswerRoom } from './answer-room.ts'

/** Long readings and streams of keys that are under way together; above it new ones are refused. */
const LONG_READS_MAX = 1000

export interface ReadOptions {
  /** false: nobody waits for it any more, and it is told to nobody */
  isWanted: () => boolean
  /** asked after each step, for all that was found so far */
  room: AnswerRoom
}

/** A slice of some work, about two milliseconds. @returns whether there is more to do */
type Slice = () => boolean

/**
 * What takes long is done in slices, one in a turn of the event loop whoever it is for, so that heartbeats, keepalives and puts come in
 * between. Everything is in memory: a thread of its own would have to be given all of it a second time.
 */
export class LongReads {
  readonly #turns: Slice[] = []
  /** bytes found so far, of the readings under way */
  readonly #found = new Map<Reading<unknown>, number>()
  #isDue = false

  /** slices that wait for their turn */
  get waiting(): number {
    return this.#turns.length
  }

  /** bytes of answers that are being put together; they share them with the store, until it changes */
  get bytes(): number {
    let sum = 0
    for (const bytes of this.#found.values()) sum += bytes
    return sum
  }

  /** Does `slice` again and again, until it says that it is done. False: too much is under way. */
  run(slice: Slice): boolean {
    if (this.#turns.length >= LONG_READS_MAX) return false
    this.#turns.push(slice)
    this.#schedule()
    return true
  }

  /**
   * Reads to the end: at once if one step does it, as nearly always.
   */
  read<Answer>(reading: Reading<Answer>, { isWanted, room }: ReadOptions, done: (answer: Answer | RpcError) => void): void {
    const step = (): boolean => {
      if (!isWanted()) return this.#end(reading)
      const answer = reading.step()
      const refusal = room(reading.bytes)
      if (answer === null && refusal === null) {
        this.#found.set(reading, reading.bytes)
        return true
      }
      this.#end(reading)
      done(refusal ?? (answer as Answer))
      return false
    }
    if (!step() || this.run(step)) return
    this.#end(reading)
    done(TOO_MANY)
  }

  #end(reading: Reading<unknown>): false {
    this.#found.delete(reading)
    reading.close()
    return false
  }

  #schedule(): void {
    if (this.#isDue || this.#turns.length === 0) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      const slice = this.#turns.shift()
      if (slice?.() === true) this.#turns.push(slice)
      this.#schedule()
    })
  }
}
