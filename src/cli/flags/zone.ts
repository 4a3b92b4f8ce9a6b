import { MusterError } from '../../core/kernel/errors.ts'

/** `--tz Europe/Berlin`: a time zone that there is. */
export function zoneFlag(name: string): string {
  try {
    if (new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '') return name
  } catch {
    // RangeError is how Intl says no.
  }
  throw new MusterError('USAGE', `there is no time zone ${name}`, { hint: 'Use a name like Europe/Berlin.' })
}
