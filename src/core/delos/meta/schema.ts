import { z } from 'zod'

export const META_BODY_CHARS_MAX = 1024 * 1024
const META_LABELS_MAX = 64

/** what a record is: `database`, `topic`, `owner` */
export const metaKindSchema = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][\w.-]*$/, 'a kind is letters, digits, "_", "-" and "."')
export const metaNameSchema = z.string().min(1).max(512)

export const labelKeySchema = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][\w./-]*$/, 'a label is letters, digits, "_", "-", "." and "/"')
export const labelsSchema = z
  .record(labelKeySchema, z.string().max(256))
  .refine((labels) => Object.keys(labels).length <= META_LABELS_MAX, `a record has at most ${META_LABELS_MAX} labels`)

/** Grows with each change and is never used twice, also not after the record was deleted: the position of the change in the log. */
export const metaVersionSchema = z.number().int().min(1)

/** A record without its body. */
export const metaHeadSchema = z.object({
  kind: z.string(),
  name: z.string(),
  version: metaVersionSchema,
  labels: z.record(z.string(), z.string()),
  author: z.string(),
  /** log time in ms of its last change */
  at: z.number().int(),
})

export const metaRecordSchema = metaHeadSchema.extend({ body: z.unknown() })
export type MetaRecord = z.output<typeof metaRecordSchema>
