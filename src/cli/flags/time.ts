import { MusterError } from '../../core/kernel/errors.ts'
import { parseDuration } from '../../core/kernel/units.ts'

/** `--timeout 10m` → ms, at least `minMs`. */
export function durationFlag(name: string, text: string, minMs?: number): number
export function durationFlag(name: string, text: string | undefined, minMs?: number): number | undefined
export function durationFlag(name: string, text: string | undefined, minMs = 0): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === null || ms < minMs) throw new MusterError('USAGE', `--${name} "${text}" is not a duration such as 5s, 30s or 10m`)
  return ms
}

/** `--since`, `--until`: `1h` (ago) or a time as {@link timeOf} takes it; ms since the epoch. */
export function timeFlag(name: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const ago = parseDuration(text)
  if (ago !== null) return nowMs - ago
  const at = instantOf(text)
  if (at === null)
    throw new MusterError('USAGE', `--${name} ${JSON.stringify(text)} is neither a duration nor a time`, {
      hint: 'Write 15m, 2h or 2026-01-31T12:00:00Z.',
    })
  return at
}

/** `--since 15m` alone is the last 15 minutes, whenever that is; with a time or `--until` it is a fixed range. */
export function rangeFlags(
  { since, until }: { since?: string | undefined; until?: string | undefined },
  nowMs: number,
): { sinceMs?: number; untilMs?: number; lastMs?: number } {
  const lastMs = since === undefined || until !== undefined ? null : parseDuration(since)
  if (lastMs !== null && lastMs > 0) return { lastMs }
  const [sinceMs, untilMs] = [timeFlag('since', since, nowMs), timeFlag('until', until, nowMs)]
  return { ...(sinceMs === undefined ? {} : { sinceMs }), ...(untilMs === undefined ? {} : { untilMs }) }
}

/** `2026-11-02T09:00Z`, `2026-11-02 09:00` in this machine's zone, or `-30m` from now, as ms. */
export function timeOf(text: string, now = Date.now()): number {
  const ago = /^-(\d+)([smhd])$/.exec(text)
  if (ago) return now - Number(ago[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago[2] as 's' | 'm' | 'h' | 'd']
  const at = instantOf(text)
  if (at === null)
    throw new MusterError('USAGE', `"${text}" is not a time`, {
      hint: "Write 2026-11-02T09:00Z, 2026-11-02T09:00 in this machine's zone, or -30m.",
    })
  return at
}

function instantOf(text: string): number | null {
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text.replace(' ', 'T')).getTime() : Number.NaN
  return Number.isNaN(at) ? null : at
}
