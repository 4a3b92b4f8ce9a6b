/** Samples are remembered at least so long, which is longer than rows wait to be sealed; and at most so many of each half of that time. */
const REMEMBERED_MS = 90_000
const SAMPLES_MAX = 1_000_000

const LINE_END = 0x0a
const BRACE = 0x7b
const QUOTE = 0x22
const BEGIN = Buffer.from('{"time":')
const SERIES = Buffer.from(',"series":"')

/** A line of a body, and which sample it is; null: it does not say so in the way that decoders write it. */
export interface SampleLine {
  from: number
  to: number
  sample: string | null
}

interface InFlight {
  samples: ReadonlySet<string>
  done: Promise<unknown>
}

/**
 * Which samples of series came in of late. One that is equal in series and time to another is the same, sent again by a sender that began
 * anew, or by two for safety: it is not added, so that an answer is the same before and after the seal, which drops what is left of them.
 * Forgotten with the leaf.
 */
export class RecentSamples {
  #newer = new Set<string>()
  #older = new Set<string>()
  #newerSinceMs = 0
  readonly #inFlight = new Set<InFlight>()

  /** What has to be waited for before a body is looked at: whether a batch with one of its samples is stored. Null: nothing. */
  pending(lines: readonly SampleLine[]): Promise<unknown> | null {
    for (const { samples, done } of this.#inFlight)
      if (lines.some(({ sample }) => sample !== null && samples.has(sample))) return done.catch(() => undefined)
    return null
  }

  /** A body without the samples that are here, or stand in it a second time; the body itself when there are none. */
  fresh(body: Buffer, lines: readonly SampleLine[]): { body: Buffer; samples: ReadonlySet<string> } {
    const samples = new Set<string>()
    const kept = lines.filter(({ sample }) => {
      if (sample === null) return true
      if (samples.has(sample) || this.#newer.has(sample) || this.#older.has(sample)) return false
      samples.add(sample)
      return true
    })
    if (kept.length === lines.length) return { body, samples }
    return { body: Buffer.concat(kept.map(({ from, to }) => body.subarray(from, to))), samples }
  }

  /** They are here once they are stored: what could not be is sent again, and is no twin then. */
  follow(samples: ReadonlySet<string>, done: Promise<unknown>, nowMs: number): void {
    if (samples.size === 0) return
    const flight = { samples, done }
    this.#inFlight.add(flight)
    const end = (isStored: boolean) => (): void => {
      this.#inFlight.delete(flight)
      if (isStored) this.#remember(samples, nowMs)
    }
    void done.then(end(true), end(false))
  }

  #remember(samples: ReadonlySet<string>, nowMs: number): void {
    if (nowMs >= this.#newerSinceMs + REMEMBERED_MS || this.#newer.size + samples.size > SAMPLES_MAX) {
      this.#older = this.#newer
      this.#newer = new Set()
      this.#newerSinceMs = nowMs
    }
    for (const sample of samples) this.#newer.add(sample)
  }
}

/** The lines of NDJSON, and which samples they are. A line with an object in it could name another series inside, and is none. */
export function sampleLines(body: Buffer): SampleLine[] {
  const lines: SampleLine[] = []
  for (let from = 0; from < body.length;) {
    const end = body.indexOf(LINE_END, from)
    const to = end < 0 ? body.length : end + 1
    lines.push({ from, to, sample: sampleOf(body.subarray(from, to)) })
    from = to
  }
  return lines
}

/** Of the bytes from a place on, how many stand in a table. */
function run(line: Buffer, from: number, allowed: Uint8Array): number {
  let at = from
  while (allowed[line[at] ?? 0] === 1) at += 1
  return at - from
}

const bytesOf = (text: string): Uint8Array => {
  const table = new Uint8Array(256)
  for (const byte of Buffer.from(text)) table[byte] = 1
  return table
}
const DIGITS = bytesOf('0123456789')
const HEX = bytesOf('0123456789abcdef')
/** Of a series, in hex. */
const HASH_CHARS = 16

function sampleOf(line: Buffer): string | null {
  if (!line.subarray(0, BEGIN.length).equals(BEGIN) || line.indexOf(BRACE, 1) >= 0) return null
  const digits = run(line, BEGIN.length, DIGITS)
  const series = line.indexOf(SERIES, BEGIN.length)
  if (digits === 0 || series < 0 || line.indexOf(SERIES, series + 1) >= 0) return null
  const begin = series + SERIES.length
  if (run(line, begin, HEX) !== HASH_CHARS || line[begin + HASH_CHARS] !== QUOTE) return null
  return line.toString('latin1', begin, begin + HASH_CHARS) + line.toString('latin1', BEGIN.length, BEGIN.length + digits)
}
