import { z } from 'zod'

export const CONFIG_BODY_BYTES_MAX = 1024 * 1024
export const CONFIG_SCHEMA_CHARS_MAX = 256 * 1024
export const CANARY_MS_MIN = 1000
export const CANARY_MS_MAX = 7 * 86_400_000
export const CANARY_MS_DEFAULT = 5 * 60_000
/** A trial is good once it is shown that fewer requests than this fail, parts per million. */
export const GOOD_BELOW_PPM_DEFAULT = 1000

const encoder = new TextEncoder()
export const utf8Bytes = (text: string): number => encoder.encode(text).length

/** What readers ask for; `/` separates its parts: `web`, `web/limits`. */
export const configNameSchema = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9_][\w.-]*(\/[A-Za-z0-9_][\w.-]*)*$/, 'a name is letters, digits, "_", "-" and ".", its parts separated by "/"')

/** counts from 1 per name, never used twice */
export const configVersionSchema = z.number().int().min(1)

const TOO_LARGE = 'a configuration is at most 1 MiB of UTF-8'

export const configBodySchema = z
  .string()
  .max(CONFIG_BODY_BYTES_MAX, { error: TOO_LARGE, abort: true })
  .refine((text) => utf8Bytes(text) <= CONFIG_BODY_BYTES_MAX, TOO_LARGE)

export const goodBelowSchema = z.number().int().min(1).max(999_999, 'is a share below 100 %')

/** Whom a proposed version is served to, and how long it waits for a verdict. */
export const canarySchema = z.object({
  /** parts per million of the readers */
  sharePpm: z.number().int().min(1).max(1_000_000),
  forMs: z.number().int().min(CANARY_MS_MIN).max(CANARY_MS_MAX),
  /** absent in older entries: {@link GOOD_BELOW_PPM_DEFAULT} */
  goodBelowPpm: goodBelowSchema.optional(),
})

export const verdictSchema = z.enum(['pass', 'fail'])
export type Verdict = z.output<typeof verdictSchema>

export const versionStateSchema = z.enum(['proposed', 'active', 'replaced', 'rolled-back'])
export type VersionState = z.output<typeof versionStateSchema>
