/** What a leaf set aside when its shards became another's (`server/scuba/replica/stand-down.ts`). */

/** A copy that became a leaf's own: up to which batch it had the rows of whom. */
export interface Taken {
  /** whose rows they were */
  of: string
  /** of its shards, when the copy was whole */
  epochs: Readonly<Record<string, number>>
  /** its newest batch that was there */
  seq: number
}

/** A batch that a leaf set aside. */
export interface AsideBatch {
  seq: number
  table: string
  rows: number
  /** bounds of `time`, µs */
  minUs: number
  maxUs: number
  /** received, ms */
  atMs: number
  key: string | null
}

/** Shards of a folder's name (`SHARD@EPOCH+…`) with the epochs from which on they were another's. */
export const shardsOf = (folder: string): { id: string; epoch: number }[] =>
  folder.split('+').map((one) => ({ id: one.slice(0, one.lastIndexOf('@')), epoch: Number(one.slice(one.lastIndexOf('@') + 1)) }))

/**
 * Up to which batch what was set aside is another leaf's own; null: nobody says. It is the newest taking over of the newest shard of the leaf before that
 * shard was another's for good.
 * @param isAll whether every leaf said what it took; else a newer one may not be known, and only that of the epoch just before is surely the newest
 */
export function takenThrough(leaf: string, folder: string, taken: readonly Taken[], isAll: boolean): number | null {
  const number = (id: string): number => (id === leaf ? 1 : Number(id.slice(leaf.length + 1)))
  const [newest] = shardsOf(folder).sort((a, b) => number(b.id) - number(a.id))
  if (newest === undefined) return null
  const its = taken.flatMap(({ of, epochs, seq }) => {
    const epoch = epochs[newest.id]
    return of === leaf && epoch !== undefined && epoch < newest.epoch ? [{ epoch, seq }] : []
  })
  const last = its.sort((a, b) => b.epoch - a.epoch)[0]
  return last === undefined || (!isAll && last.epoch + 1 !== newest.epoch) ? null : last.seq
}

/** Keys are remembered for a day; of one that is nearly forgotten it is not sure that it would be recognised. */
const SURE_MS = 3_600_000

/**
 * Whether a batch may be put back by nobody's word: its key says whether its sender has sent it again meanwhile. Without a key the sender may have been refused
 * and have sent the rows again, so a person decides.
 */
export const mayGoBack = ({ key, atMs }: AsideBatch, nowMs: number, rememberedMs: number): boolean =>
  key !== null && nowMs - atMs < rememberedMs - SURE_MS

/** Under which key a batch without one is put back: the same each time. */
export const asideKey = (leaf: string, folder: string, seq: number): string => `aside ${leaf} ${folder} ${seq}`

/** A row as it stands in a chunk, as its sender may have sent it: taken in at the same time as before, it becomes the same row. */
export function asItCame(line: string, timeField: string | null): string {
  const {
    time,
    ingest_time: _,
    time_source: source,
    time_original: original,
    _rest: rest,
    ...row
  } = JSON.parse(line) as Record<string, unknown>
  const came: Record<string, unknown> = typeof rest === 'string' ? (JSON.parse(rest) as Record<string, unknown>) : {}
  for (const [name, value] of Object.entries(row)) {
    const base = name.endsWith('$str') ? name.slice(0, -4) : name
    came[base === '' || base in row ? name : base] = value
  }
  // A time that was not there is the time of arrival again; one too far ahead is so once more.
  // In ms, as it is kept.
  const ahead = source === 'ahead' && typeof original === 'number' ? original / 1000 : undefined
  const named = source === undefined ? time : ahead
  if (named !== undefined) came[timeField ?? 'time'] = named
  return JSON.stringify(came)
}
