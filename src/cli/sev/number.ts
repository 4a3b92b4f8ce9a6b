import { MusterError } from '../../core/kernel/errors.ts'

/** `1042` or `#1042` as an incident number. */
export function incidentNumber(text: string): number {
  const match = /^#?(\d{1,15})$/.exec(text)
  if (!match)
    throw new MusterError('USAGE', `"${text}" is not an incident number`, {
      hint: 'Numbers look like 1042; list them with `muster sev list`.',
    })
  return Number(match[1])
}

/** `2026-11-02T09:00Z`, `2026-11-02 09:00` in this machine's zone, or `-30m` from now, as ms. */
export function timeOf(text: string, now = Date.now()): number {
  const ago = /^-(\d+)([smhd])$/.exec(text)
  if (ago) return now - Number(ago[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago[2] as 's' | 'm' | 'h' | 'd']
  const parsed = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text.replace(' ', 'T')).getTime() : Number.NaN
  if (Number.isNaN(parsed))
    throw new MusterError('USAGE', `"${text}" is not a time`, {
      hint: "Write 2026-11-02T09:00Z, 2026-11-02T09:00 in this machine's zone, or -30m.",
    })
  return parsed
}
