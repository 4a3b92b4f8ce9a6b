/**
 * The rows of a SELECT as they are sealed. In `metrics` those that are equal in series and time are one sample that was sent more than
 * once, by a sender that began anew or by two for safety: the first that came stays. Elsewhere every row is of its own.
 */
export function sealedSql(table: string, hasSeries: boolean, select: string): { sql: string; mayShrink: boolean } {
  if (table !== 'metrics' || !hasSeries) return { sql: select, mayShrink: false }
  const isFirst = 'row_number() OVER (PARTITION BY "series", "time" ORDER BY "ingest_time") = 1'
  return { sql: `SELECT * FROM (${select}) QUALIFY "series" IS NULL OR ${isFirst}`, mayShrink: true }
}
