import { MusterError } from '../../core/kernel/errors.ts'

/** How long lines of a stream wait for others before they are sent, ms. */
const WAIT_MS = 1000

/** Bytes that came and were not sent yet. */
export class Waiting {
  #parts: Buffer[] = []
  bytes = 0

  add(part: Buffer): void {
    this.#parts.push(part)
    this.bytes += part.length
  }

  /** Whole lines of at least `bytesMax`, or one line that is longer; null: there are not so many yet. */
  full(bytesMax: number): Buffer | null {
    return this.bytes < bytesMax ? null : this.#take((all) => all.lastIndexOf(10, bytesMax - 1) + 1 || all.indexOf(10) + 1)
  }

  /** All whole lines; null: there are none. */
  lines(): Buffer | null {
    return this.bytes === 0 ? null : this.#take((all) => all.lastIndexOf(10) + 1)
  }

  /** Everything, with a line that has no end. */
  rest(): Buffer | null {
    return this.bytes === 0 ? null : this.#take((all) => all.length)
  }

  #take(endOf: (all: Buffer) => number): Buffer | null {
    const all = this.#parts.length === 1 && this.#parts[0] ? this.#parts[0] : Buffer.concat(this.#parts)
    const end = endOf(all)
    this.#parts = [all.subarray(end)]
    this.bytes = all.length - end
    return end === 0 ? null : all.subarray(0, end)
  }
}

/**
 * Whole lines, up to `bytesMax` together (a longer line is a batch of its own). Where it cuts depends on the bytes alone, not on how
 * they arrive: a second run with the same key has the same batches. With `isPrompt` it also cuts when lines have waited for a second.
 */
export async function* batchesOf(
  source: AsyncIterable<Buffer | string>,
  bytesMax: number,
  name: string,
  isPrompt = false,
): AsyncGenerator<Buffer> {
  const waiting = new Waiting()
  const pieces = source[Symbol.asyncIterator]()
  try {
    let next = pieces.next()
    let waitingSince = Infinity
    for (;;) {
      const piece = isPrompt && waiting.bytes > 0 ? await within(next, waitingSince + WAIT_MS - performance.now()) : await next
      if (piece?.done === true) break
      if (piece) {
        if (waiting.bytes === 0) waitingSince = performance.now()
        waiting.add(Buffer.from(piece.value))
        next = pieces.next()
        for (let batch = waiting.full(bytesMax); batch; batch = waiting.full(bytesMax)) yield batch
      }
      if (isPrompt && performance.now() - waitingSince >= WAIT_MS) {
        const batch = waiting.lines()
        waitingSince = performance.now()
        if (batch) yield batch
      }
    }
  } catch (error) {
    throw unreadable(error, name)
  } finally {
    await pieces.return?.()
  }
  const rest = waiting.rest()
  if (rest) yield rest
}

/** A file that cannot be read, in the words of a refusal; any other error as it is. */
export function unreadable(error: unknown, name: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined || error instanceof MusterError) return error
  return new MusterError('FILE_UNREADABLE', `${name} cannot be read (${code})`, { cause: error })
}

/** Null when it takes longer. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, Math.max(0, ms), null)))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
