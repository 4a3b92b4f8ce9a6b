import { z } from 'zod'

/**
 * The archive of a store's log: a folder for each server that writes one, `CLUSTER/kv/SERVER`, in it files of batches and a manifest, which
 * is written last. Only what a manifest names is archived. The files are segment files (`core/delos/log`), each entry a batch of its position,
 * so whoever reads a log reads them.
 */
export const ARCHIVE_FORMAT = 1

const position = z.number().int().min(1)

const fileSchema = z.object({
  /** its name in the folder */
  file: z.string().regex(/^[0-9a-f]{16}\.seg$/),
  /** positions, both in it */
  first: position,
  last: position,
  /** so much of it counts; what stands behind was cut off while it was written */
  bytes: z.number().int().min(1),
  /** of these bytes, hex */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** of its last record, which the first of the next file names */
  crc: z.number().int().min(0),
  /** log time of its last batch, ms */
  toMs: z.number(),
})
export type ArchiveFile = z.output<typeof fileSchema>

export const manifestSchema = z.object({
  format: z.literal(ARCHIVE_FORMAT),
  /** ids, hex */
  cluster: z.string(),
  server: z.string(),
  name: z.string(),
  /** least TTL of a lease there: what a grant in the log means depends on it */
  leaseTtlMinS: z.number(),
  /** positions that nobody applies */
  skips: z.array(position),
  /** ms since the epoch */
  writtenAtMs: z.number(),
  /** by position; they follow on each other unless the server had to leave something out */
  files: z.array(fileSchema),
})
export type Manifest = z.output<typeof manifestSchema>

/** Null: these bytes are no manifest that this program knows. */
export function readManifest(text: string): Manifest | null {
  try {
    const parsed = manifestSchema.safeParse(JSON.parse(text))
    return parsed.success && isInOrder(parsed.data.files) ? parsed.data : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

const isInOrder = (files: readonly ArchiveFile[]): boolean =>
  files.every(({ first, last }, i) => last >= first && first > (files[i - 1]?.last ?? 0))

/** Positions `first` to `last`, one after the other, all there. */
export interface Span {
  first: number
  last: number
}

/** What these files hold together, files of several servers too. */
export function spansOf(files: readonly Span[]): Span[] {
  const spans: Span[] = []
  for (const { first, last } of files.toSorted((a, b) => a.first - b.first)) {
    const before = spans.at(-1)
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last)
    else spans.push({ first, last })
  }
  return spans
}

/** Of the files that hold a position, those that reach furthest first: when one of them is damaged, the next is read. */
export function holdersOf<File extends Span>(files: readonly File[], at: number): File[] {
  return files.filter(({ first, last }) => first <= at && at <= last).toSorted((a, b) => b.last - a.last)
}
