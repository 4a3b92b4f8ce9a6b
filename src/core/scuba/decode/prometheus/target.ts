import { refuse, type MusterError } from '../../../kernel/errors.ts'
import { parseDuration } from '../../../kernel/units.ts'

/** A page of metrics that is read again and again. */
export interface Target {
  job: string
  /** `host:port` */
  instance: string
  url: string
  everyMs: number
}

export const EVERY_MS = 15_000
const EVERY_MS_MIN = 1000
const EVERY_MS_MAX = 3_600_000

/** `JOB=URL`, behind it `@` and how often: `node=http://127.0.0.1:9100/metrics@10s`. Without a path it is /metrics. */
export function parseTarget(text: string): Target | MusterError {
  const match = /^([\w.-]{1,63})=(https?):\/\/([^/@\s?#]+)(\/[^@\s]*)?(?:@(\w+))?$/.exec(text)
  if (match === null)
    return refuse('USAGE', `${JSON.stringify(text)} is no page of metrics`, {
      hint: 'Write JOB=URL, such as node=http://127.0.0.1:9100/metrics@10s.',
    })
  const [, job, scheme, host, path, every] = match as unknown as [string, string, string, string, string?, string?]
  const everyMs = every === undefined ? EVERY_MS : parseDuration(every)
  if (everyMs === null || everyMs < EVERY_MS_MIN || everyMs > EVERY_MS_MAX)
    return refuse('USAGE', `${JSON.stringify(every)} is no duration from 1s to 1h`)
  const instance = /:\d+$/.test(host) ? host : `${host}:${scheme === 'https' ? 443 : 80}`
  return { job, instance, url: `${scheme}://${host}${path ?? '/metrics'}`, everyMs }
}
