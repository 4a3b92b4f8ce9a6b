import { LIVE_KEPT_MS } from '../../../core/scuba/live/aggregate.ts'
import { LIVE_TABLE, quoteName } from '../../../core/scuba/names.ts'
import { weightSql } from '../../../core/scuba/plan/calc.ts'
import { viewSql } from '../../../core/scuba/plan/view.ts'
import type { Engine } from './engine.ts'
import { bring } from './reading.ts'
import type { Store } from './store.ts'

const WINDOW_MS = 600_000
const ROWS_MAX = 500_000
const READ: ReadonlySet<string> = new Set(['sample_rate', 'user', 'trace', 'arm', 'latency_ms', 'service', 'status', 'version'])

/**
 * Reads back into the live aggregate what was sealed in the last two hours, newest first, so that a restart does not
 * blind a rollout. How far it came is the aggregate's coverage. Call before anything is sealed.
 */
export async function seedLive(store: Store, engine: Engine): Promise<void> {
  const files = store.segmentFiles(LIVE_TABLE)
  if (files.length === 0 || store.hasDamage) return
  const columns = store.tail(LIVE_TABLE).columns.toJSON()
  const column = (name: string): string => (name in columns ? quoteName(name) : 'NULL')
  const person = `coalesce(nullif(${column('user')}::VARCHAR, ''), ${column('trace')}::VARCHAR, '')`
  const arm = `coalesce(nullif(${column('arm')}::VARCHAR, ''), 'primary')`
  const latency = `${column('latency_ms')}::DOUBLE`
  const bucket = `CASE WHEN ${latency} > 0 THEN greatest(-400, ceil(ln(${latency}) / ln(1.02) - 1e-9)) ELSE -400 END`
  const isRow = `${column('service')} IS NOT NULL AND ${column('status')} IS NOT NULL`
  const weight = weightSql(columns) ?? '1'
  const second = 'epoch_us("time") // 1000000'
  const ask = async (sql: string, sinceMs: number, untilMs: number): Promise<unknown[][]> => {
    const brought = await bring(store, { columns, files, sinceMs, untilMs }, { columns: READ })
    try {
      const views = [{ name: LIVE_TABLE, sql: viewSql({ columns, files: brought.files, sinceMs, untilMs }).sql }]
      return (await engine.run({ sql, views, params: {}, deadlineMs: 30_000, rowsMax: ROWS_MAX })).rows
    } finally {
      brought.end()
    }
  }
  const now = Date.now()
  // Also rows that are ahead of our clock.
  let untilMs = now + 3_600_000
  try {
    for (let sinceMs = now - WINDOW_MS; sinceMs > now - LIVE_KEPT_MS - WINDOW_MS; sinceMs -= WINDOW_MS) {
      const counts = await ask(
        `SELECT service, ${second} AS second, ${arm} AS arm, ${column('version')}::VARCHAR AS version, ${bucket} AS bucket, sum(${weight}), coalesce(sum(${weight}) FILTER (WHERE status >= 500), 0) FROM ${LIVE_TABLE} WHERE ${isRow} GROUP BY ALL`,
        sinceMs,
        untilMs,
      )
      const users = await ask(
        `SELECT service, ${arm} AS arm, ${person} AS person, epoch_us(min("time")) / 1000, epoch_us(max("time")) / 1000 FROM ${LIVE_TABLE} WHERE ${isRow} GROUP BY ALL`,
        sinceMs,
        untilMs,
      )
      const failures = await ask(
        `SELECT service, ${arm} AS arm, ${person} AS person, epoch_us(min("time")) / 1000, ${second} AS second FROM ${LIVE_TABLE} WHERE ${isRow} AND status >= 500 GROUP BY ALL`,
        sinceMs,
        untilMs,
      )
      for (const [service, at, name, version, hist, requests, failing] of counts) {
        store.live.addCounts(
          String(service),
          Number(at),
          String(name),
          String(version ?? ''),
          Number(requests),
          Number(failing),
          Number(hist),
        )
      }
      for (const [service, name, user, firstMs, lastMs] of users)
        store.live.addUser(String(service), String(name), String(user), Number(firstMs), Number(lastMs))
      for (const [service, name, user, ms] of failures) store.live.addFailure(String(service), String(name), String(user), Number(ms))
      // With no older row in the store it knows everything there ever was.
      const isAll = files.every(({ minUs }) => minUs >= sinceMs * 1000)
      store.live.markCompleteFrom(isAll ? 0 : sinceMs)
      if (isAll) return
      untilMs = sinceMs
    }
  } catch (error) {
    store.log.warn('the live aggregate could not be read back in full', { fromMs: store.live.completeFromMs, error: String(error) })
  }
}
