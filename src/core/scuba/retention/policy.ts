import { z } from 'zod'

/** From an age on, one of so many rows stays: whole traces, and the weight of what stays grows by the same factor. */
const thinStepSchema = z.strictObject({ afterDays: z.number().positive().max(36_500), keepOneIn: z.int().min(2).max(1_000_000) })

/** How long rows of a table are kept, and in how much space: whichever is reached first, the oldest go. */
export const retentionPolicySchema = z
  .strictObject({
    days: z.number().positive().max(36_500).default(30),
    /** 10^9 bytes of sealed files */
    gb: z.number().positive().max(1_000_000).default(100),
    thin: z.array(thinStepSchema).max(4).default([]),
  })
  .superRefine(({ days, thin }, context) => {
    for (const [index, step] of thin.entries()) {
      const before = thin[index - 1]
      const wrong =
        step.afterDays >= days
          ? `rows are gone after ${days} days, so thinning them after ${step.afterDays} does nothing`
          : before === undefined
            ? null
            : step.afterDays <= before.afterDays
              ? 'steps of thinning are told from the youngest to the oldest'
              : step.keepOneIn <= before.keepOneIn || step.keepOneIn % before.keepOneIn !== 0
                ? `1/${step.keepOneIn} cannot follow 1/${before.keepOneIn}: each step keeps a whole fraction of the one before`
                : null
      if (wrong !== null) context.addIssue({ code: 'custom', path: ['thin', index], message: wrong })
    }
  })
export type RetentionPolicy = z.output<typeof retentionPolicySchema>

const RETENTION_DEFAULT: RetentionPolicy = { days: 30, gb: 100, thin: [] }
/** What objectives measured: a window of 31 days or of a calendar month has its data, and so have the two before it. */
const OWN_DAYS: Readonly<Record<string, number>> = { muster_slo: 92 }

/** How long rows of a table are kept when nobody said so. */
export const retentionDefault = (table: string): RetentionPolicy => ({
  ...RETENTION_DEFAULT,
  days: OWN_DAYS[table] ?? RETENTION_DEFAULT.days,
})

/** Rows that stay whatever retention says, for as long as the hold is there. */
export const holdSchema = z.object({
  /** log position of its HoldSet */
  id: z.int().positive(),
  /** null: of all tables */
  table: z.string().nullable(),
  /** ms, of event time; `toMs` is not in it */
  fromMs: z.int().nonnegative(),
  toMs: z.int().nonnegative(),
  /** number of the incident it is for */
  sev: z.int().positive().nullable(),
  reason: z.string(),
})
export type Hold = z.output<typeof holdSchema>
