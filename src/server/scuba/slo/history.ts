import type { Objective } from '../../../core/scuba/slo/objective.ts'
import type { Counts } from '../../../core/scuba/slo/ring.ts'
import { BUCKET_MS, MINUTE_MS, type SliSeries } from '../../../core/scuba/slo/series.ts'
import type { MusterError } from '../../../core/kernel/errors.ts'
import type { SliClient } from './sli.ts'

/** Rows `{time, service, objective, sli, width_ms, good, total}`: 10 s buckets, and minutes of what was read long after. */
export const SLO_TABLE = 'muster_slo'

export interface Kept extends Counts {
  startMs: number
}

const DEADLINE_MS = 30_000

/**
 * Puts what is kept of an SLI into its series, where that knows nothing yet: minutes up to `fineFromMs`, 10 s buckets from
 * there. A row that is there twice counts once. Gives the end of the newest 10 s bucket, ms; 0 without any.
 */
export async function loadHistory(
  client: SliClient,
  { hash }: Objective,
  series: SliSeries,
  { fromMs, fineFromMs, untilMs }: { fromMs: number; fineFromMs: number; untilMs: number },
): Promise<number> {
  const rows = async (stepMs: number, sinceMs: number, toMs: number): Promise<Kept[]> => {
    const sql = `select (epoch_us(time) // ${stepMs * 1000}) * ${stepMs} as start_ms, width_ms, sum(good), sum(total)
      from (select time, width_ms, max(good) as good, max(total) as total from ${SLO_TABLE} where sli = $sli group by time, width_ms)
      group by start_ms, width_ms order by start_ms, width_ms`
    const { rows: found } = await client.query(sql, { params: { sli: hash }, sinceMs, untilMs: toMs, deadlineMs: DEADLINE_MS })
    // Where both a minute and 10 s of it are kept, the minute comes last and stands for all of it.
    return found.map(([startMs, , good, total]) => ({ startMs: Number(startMs), good: Number(good), total: Number(total) }))
  }
  try {
    if (fromMs < fineFromMs)
      for (const { startMs, ...counts } of await rows(MINUTE_MS, fromMs, fineFromMs)) series.putMinute(startMs, counts)
    const fine = (await rows(BUCKET_MS, fineFromMs, untilMs)).filter(({ startMs }) => startMs >= fineFromMs)
    for (const { startMs, ...counts } of fine) if (series.bucket(startMs) === null) series.put(startMs, counts)
    return (fine.at(-1)?.startMs ?? -BUCKET_MS) + BUCKET_MS
  } catch (error) {
    if ((error as { code?: string }).code === 'SCUBA_TABLE_UNKNOWN') return 0
    throw error
  }
}

export interface SloRows {
  /** the same rows always go under the same key */
  key: string
  rows: object[]
}

/** Buckets of a service's SLIs as rows of the table, under a key that says which they are. */
export function sloRows(service: string, widthMs: number, kept: readonly { objective: Objective; buckets: readonly Kept[] }[]): SloRows {
  const rows = kept.flatMap(({ objective, buckets }) =>
    buckets.map(({ startMs, good, total }) => ({
      time: startMs,
      service,
      objective: objective.name,
      sli: objective.hash,
      width_ms: widthMs,
      good,
      total,
    })),
  )
  const times = rows.map(({ time }) => time)
  const slis = kept.map(({ objective }) => objective.hash).join('.')
  return { key: `slo/${slis}/${widthMs}/${Math.min(...times)}-${Math.max(...times)}/${rows.length}`, rows }
}

/** Sends them; done also when another server has sent these buckets before. */
export async function sendRows(client: SliClient, { key, rows }: SloRows): Promise<void> {
  try {
    await client.send(SLO_TABLE, rows, { key })
  } catch (error) {
    if ((error as MusterError).code !== 'SCUBA_KEY_REUSED') throw error
  }
}
