import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Logger } from '../../../platform/logger.ts'

const DAY_MS = 24 * 3_600_000
const WARN_MS = 14 * DAY_MS
const LOOK_MS = 3_600_000

/** Logs, now and each hour, which of these certificates end within 14 days or are over. What cannot be read is for whoever opens the port to say. */
export function watchExpiry(files: readonly string[], log: Logger): { stop: () => void } {
  const look = (): void => {
    for (const file of files) {
      const until = untilOf(file)
      if (until === null || until - Date.now() > WARN_MS) continue
      const details = { file, until: new Date(until).toISOString() }
      if (until < Date.now()) log.error('a certificate is over: connections with it are refused', details)
      else log.warn('a certificate ends soon', details)
    }
  }
  look()
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

function untilOf(file: string): number | null {
  try {
    return Date.parse(new X509Certificate(readFileSync(file)).validTo)
  } catch {
    return null
  }
}
