import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const PIECE_BYTES = 1024 * 1024

/** Why a file has not the digest it should have; null: it has. Reads at most so many bytes a second. */
export async function differs(path: string, sha256: string, rate: number, signal: AbortSignal): Promise<string | null> {
  const hash = createHash('sha256')
  const started = performance.now()
  let bytes = 0
  try {
    for await (const piece of createReadStream(path, { highWaterMark: PIECE_BYTES, signal })) {
      hash.update(piece as Buffer)
      bytes += (piece as Buffer).length
      const aheadMs = (bytes / rate) * 1000 - (performance.now() - started)
      if (aheadMs > 5) await sleep(aheadMs, undefined, { signal })
    }
  } catch (error) {
    if (signal.aborted) return null
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'the file is not there' : `the file cannot be read (${code ?? String(error)})`
  }
  return hash.digest('hex') === sha256 ? null : 'its checksum is not that of the manifest'
}
