import { appendFileSync, renameSync, statSync } from 'node:fs'

export interface Logger {
  info: (message: string, fields?: Record<string, unknown>) => void
  warn: (message: string, fields?: Record<string, unknown>) => void
  error: (message: string, fields?: Record<string, unknown>) => void
}

const SIZE_MAX = 16 * 1024 * 1024

/**
 * One JSON object a line: `{time, level, message, …fields}`. Written at once, so that the last words before a crash are
 * there; kept to twice 16 MiB by renaming to `FILE.1`. A log that cannot be written stops nothing.
 */
export function createLogger(
  file: string | null,
  also?: (level: string, message: string, fields: Record<string, unknown>) => void,
): Logger {
  let writtenBytes = 0
  const write = (level: string, message: string, fields: Record<string, unknown> = {}): void => {
    also?.(level, message, fields)
    if (file === null) return
    try {
      const line = `${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`
      appendFileSync(file, line, { mode: 0o600 })
      writtenBytes += line.length
      if (writtenBytes > 1024 * 1024) {
        writtenBytes = 0
        if (statSync(file).size > SIZE_MAX) renameSync(file, `${file}.1`)
      }
    } catch {
      // A full disk must not take the control plane down with its own log.
    }
  }
  return {
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  }
}
