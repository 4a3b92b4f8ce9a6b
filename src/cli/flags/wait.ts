import { Flags } from '../oclif.ts'
import { durationFlag } from './time.ts'

export const WAIT_FLAGS = {
  wait: Flags.boolean({ description: 'wait until every task is healthy and no old one is left; a batch job: until it is complete' }),
  timeout: Flags.string({ description: 'how long --wait waits', default: '10m' }),
}

/** How long to wait, in ms; null: not at all. */
export function waitMs(flags: { wait?: boolean | undefined; timeout?: string | undefined }): number | null {
  const ms = durationFlag('timeout', flags.timeout ?? '10m')
  return flags.wait ? ms : null
}
