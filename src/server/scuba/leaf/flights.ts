import { refuse } from '../../../core/kernel/errors.ts'

interface Flight {
  answer: Promise<unknown>
  abort: AbortController
  waiting: number
}

/** Identical questions in flight are asked once; it is stopped when nobody waits for it any more. */
export class Flights {
  shared = 0
  readonly #flights = new Map<string, Flight>()

  get count(): number {
    return this.#flights.size
  }

  async share<T>(key: string, signal: AbortSignal | undefined, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    let flight = this.#flights.get(key)
    if (flight) {
      this.shared += 1
    } else {
      const abort = new AbortController()
      const started: Flight = { abort, waiting: 0, answer: ask(abort.signal) }
      const land = (): void => {
        if (this.#flights.get(key) === started) this.#flights.delete(key)
      }
      started.answer.then(land, land)
      this.#flights.set(key, (flight = started))
    }
    return (await this.#wait(flight, key, signal)) as T
  }

  #wait(flight: Flight, key: string, signal: AbortSignal | undefined): Promise<unknown> {
    flight.waiting += 1
    if (!signal) return flight.answer
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        flight.waiting -= 1
        if (flight.waiting === 0) {
          this.#flights.delete(key)
          flight.abort.abort()
        }
        reject(refuse('SCUBA_DEADLINE', 'the query was stopped because nobody waits for it any more'))
      }
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      const over = (): void => signal.removeEventListener('abort', leave)
      flight.answer.then(
        (answer) => (over(), resolve(answer)),
        (error: unknown) => (over(), reject(error as Error)),
      )
    })
  }
}
