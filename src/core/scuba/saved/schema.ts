import { z } from 'zod'
import { parseDuration } from '../../kernel/units.ts'
import { VIEWS } from './views.ts'

/** Steps, ranges and shifts as people write them; `1h`. */
const duration = z.string().refine((text) => (parseDuration(text) ?? 0) > 0, 'must be a duration such as 10s, 1h or 7d')
const instant = z.iso.datetime({ offset: true, message: 'must be a time such as 2026-11-30T08:00:00Z' })
const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be lower-case letters, digits, ".", "_" or "-"')
const title = z.string().min(1).max(120)

/**
 * What is asked of the store and how it is shown: a panel over one `table`, or `sql`. The one form of it that saved queries, panels of boards and links
 * have. Times are relative (`since: 1h`, up to now) or absolute, so a query outlives whoever put it.
 */
export const askedShape = {
  table: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be the name of a table')
    .optional(),
  sql: z.string().min(1).max(100_000).optional(),
  /** SQL conditions, all of which hold */
  where: z.array(z.string().min(1).max(4000)).max(50).optional(),
  calc: z.array(z.string().min(1).max(500)).min(1).max(6).optional(),
  by: z.array(z.string().min(1).max(256)).max(4).optional(),
  since: z.union([duration, instant]).optional(),
  until: z.union([duration, instant]).optional(),
  /** width of a time step; without it one that suits the range */
  step: duration.optional(),
  top: z.number().int().min(1).max(50).optional(),
  other: z.boolean().optional(),
  /** also so much earlier */
  compare: duration.optional(),
  view: z.enum(VIEWS).optional(),
  /** the numeric column of a heat map */
  heat: z.string().min(1).max(256).optional(),
}

const isOneThing = ({ table, sql }: { table?: string | undefined; sql?: string | undefined }): boolean =>
  (table === undefined) !== (sql === undefined)
const ONE_THING = 'say either table or sql'

export const savedSchema = z.strictObject({ name, title: title.optional(), ...askedShape }).refine(isOneThing, ONE_THING)

export const boardPanelSchema = z
  .strictObject({
    title,
    /** of a board's twelve columns */
    width: z.number().int().min(2).max(12).optional(),
    /** a saved query, instead of one that stands here */
    saved: name.optional(),
    ...askedShape,
  })
  .refine(
    (panel) => (panel.saved === undefined ? isOneThing(panel) : panel.table === undefined && panel.sql === undefined),
    'say one of table, sql and saved',
  )

/** A grid of panels that are seen together, over one range of time. */
export const boardSchema = z.strictObject({
  name,
  title: title.optional(),
  /** range of all panels that name none themselves */
  since: duration.default('1h'),
  refresh: duration.default('10s'),
  panels: z.array(boardPanelSchema).min(1).max(40),
})

/** A question, with what `askedShape` says. */
export type Asked = { [K in keyof typeof askedShape]?: z.output<(typeof askedShape)[K]> }
export type Saved = z.output<typeof savedSchema>
export type Board = z.output<typeof boardSchema>
export type BoardPanel = z.output<typeof boardPanelSchema>
