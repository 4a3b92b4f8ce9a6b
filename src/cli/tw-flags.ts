import { MusterError } from '../core/kernel/errors.ts'
import { parseDuration } from '../core/kernel/units.ts'

/** `--timeout 10m` → ms. */
export function durationFlag(name: string, text: string): number {
  const ms = parseDuration(text)
  if (ms === null) throw new MusterError('USAGE', `--${name} "${text}" is not a duration such as 30s or 10m`)
  return ms
}
