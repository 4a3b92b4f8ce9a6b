import { z } from 'zod'
import { parseDuration } from '../../kernel/units.ts'

const DAY_MS = 86_400_000
/** Longest window: what the series of an SLI keep. */
export const WINDOW_DAYS_MAX = 31

const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be lower-case letters, digits, ".", "_" or "-"')
const condition = z.string().min(1).max(2000)

const target = z.string().refine((text) => {
  const value = parsePercent(text)
  return value !== null && value > 0 && value < 1
}, 'must be a share such as 99.95%, above 0 % and below 100 %')

const latency = z.string().refine((text) => parseLatency(text) !== null, 'must be such as "p99 <= 200 ms"')
const errorRate = z.string().refine((text) => parseErrorRate(text) !== null, 'must be such as "< 0.1%"')

const objectiveSchema = z
  .strictObject({
    /** default: `availability`, `latency` or `error-rate` */
    name: name.optional(),
    /** `99.95%` of the events are good */
    availability: target.optional(),
    /** with `availability`: the SQL condition of a good event */
    good: condition.optional(),
    /** `p99 <= 200 ms`: at least 99 % of the events are within 200 ms */
    latency: latency.optional(),
    /** with `latency`: the column that holds milliseconds */
    column: z.string().min(1).max(200).optional(),
    /** `< 0.1%` of the events are bad */
    error_rate: errorRate.optional(),
    /** with `error_rate`: the SQL condition of a bad event */
    bad: condition.optional(),
    /** only these events count, beside the file's own `where` */
    where: condition.optional(),
  })
  .refine(
    (it) => [it.availability, it.latency, it.error_rate].filter((given) => given !== undefined).length === 1,
    'must have exactly one of availability, latency and error_rate',
  )
  .refine((it) => it.good === undefined || it.availability !== undefined, '`good` goes with availability')
  .refine((it) => it.column === undefined || it.latency !== undefined, '`column` goes with latency')
  .refine((it) => it.bad === undefined || it.error_rate !== undefined, '`bad` goes with error_rate')

const window = z.string().refine((text) => {
  const ms = parseDuration(text)
  return text === 'month' || (ms !== null && ms >= DAY_MS && ms <= WINDOW_DAYS_MAX * DAY_MS && ms % DAY_MS === 0)
}, `must be whole days such as 30d, from 1d to ${WINDOW_DAYS_MAX}d, or month`)

/** The objectives of one service, as people write them. */
export const sloFileSchema = z
  .strictObject({
    service: z.string().min(1).max(200),
    summary: z.string().max(500).optional(),
    table: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be the name of a table')
      .default('requests'),
    /** which rows of the table are events of the service; default: those whose `service` is it */
    where: condition.optional(),
    /** rolling days, or the calendar month of `timezone` */
    window: window.default('30d'),
    timezone: z.string().min(1).max(64).default('UTC'),
    objectives: z.array(objectiveSchema).min(1).max(20),
  })
  .superRefine(({ objectives }, ctx) => {
    const names = objectives.map(objectiveName)
    for (const [index, one] of names.entries()) {
      if (names.indexOf(one) !== index) {
        ctx.addIssue({ code: 'custom', path: ['objectives', index], message: `the objective ${one} is there twice; give one a \`name\`` })
      }
    }
  })

export type SloFile = z.output<typeof sloFileSchema>
export type SloFileInput = z.input<typeof sloFileSchema>
export type ObjectiveText = SloFile['objectives'][number]

export function objectiveName(text: ObjectiveText): string {
  return text.name ?? (text.availability !== undefined ? 'availability' : text.latency !== undefined ? 'latency' : 'error-rate')
}

/** `"99.95 %"` → 0.9995; null if it is not a share. Decimal digits are kept: no 0.9994999999. */
export function parsePercent(text: string): number | null {
  const match = /^\s*(\d{1,3}(?:\.\d{1,6})?)\s*%\s*$/.exec(text)
  return match ? decimal(Number(match[1]) / 100) : null
}

/** `"p99 <= 200 ms"` → `{quantile: 0.99, limitMs: 200}`. */
export function parseLatency(text: string): { quantile: number; limitMs: number } | null {
  const match = /^\s*p(\d{1,2}(?:\.\d{1,3})?)\s*(?:<=|≤|<)\s*(.+?)\s*$/.exec(text)
  const quantile = decimal(Number(match?.[1] ?? 0) / 100)
  const limitMs = parseDuration((match?.[2] ?? '').replaceAll(' ', ''))
  return match && quantile > 0 && limitMs !== null && limitMs > 0 ? { quantile, limitMs } : null
}

/** `"< 0.1%"` → 0.001. */
export function parseErrorRate(text: string): number | null {
  const match = /^\s*(?:<=|≤|<)\s*(.+)$/.exec(text)
  const share = match ? parsePercent(match[1] ?? '') : null
  return share !== null && share > 0 && share < 1 ? share : null
}

const decimal = (value: number): number => Number(value.toFixed(9))
