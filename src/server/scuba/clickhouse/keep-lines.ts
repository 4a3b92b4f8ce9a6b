import { createWriteStream } from 'node:fs'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'

/** Appends lines to a file and counts them; without a stream there only is the file then. @throws SCUBA_TOO_LARGE */
export async function keepLines(stream: Readable | null, path: string, counted: { rows: number; bytes: number }): Promise<void> {
  const count = new Transform({
    transform(piece: Buffer, _encoding, done) {
      counted.bytes += piece.length
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) counted.rows += 1
      const isTooMuch = counted.rows > LIMITS.travelRowsMax || counted.bytes > LIMITS.travelBytesMax
      const refusal =
        isTooMuch &&
        refuse('SCUBA_TOO_LARGE', 'more rows would travel from ClickHouse than the engine takes at once', {
          hint: 'Ask for a shorter time range, fewer columns, or less by WHERE.',
          details: { rowsMax: LIMITS.travelRowsMax, bytesMax: LIMITS.travelBytesMax },
        })
      if (refusal) done(refusal)
      else done(null, piece)
    },
  })
  const file = createWriteStream(path, { flags: 'a', mode: 0o600 })
  if (stream === null) await new Promise((resolve) => file.end(resolve))
  else await pipeline(stream, count, file)
}
