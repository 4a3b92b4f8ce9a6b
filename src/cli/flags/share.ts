import { MusterError } from '../../core/kernel/errors.ts'
import { parseShare } from '../../core/kernel/units.ts'

/** `--canary 10%` → parts per million, above 0. */
export function shareFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ppm = parseShare(text)
  if (ppm === null || ppm === 0) throw new MusterError('USAGE', `--${name} "${text}" is not a share such as 10% or 0.5%`)
  return ppm
}
