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
