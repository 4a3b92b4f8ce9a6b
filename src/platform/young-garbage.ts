import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { type: 'minor' }) => void

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as Collect

/** so much is thrown away between two runs */
const BYTES = 2 * 1024 * 1024

/**
 * Collects young garbage after so many bytes that were read from sockets. They lie outside of the heap, few objects hold them, so the collector would not
 * come for these; instead V8 goes over everything that lives each time such bytes have grown by 64 MB, which costs 2 ms for each MB
 * read, more than all else that is done with it.
 */
export class YoungGarbage {
  #bytes = 0

  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < BYTES) return
    this.#bytes = 0
    collect({ type: 'minor' })
  }
}
