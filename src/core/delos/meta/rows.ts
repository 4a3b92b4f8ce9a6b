import type { ReadDb, SqlValue } from '../../contracts/storage.ts'
import type { MetaRecord } from './schema.ts'

interface MetaRow {
  kind: string
  name: string
  version: number
  labels: string
  author: string
  at: number
  body: string
}

export function metaRecord(db: ReadDb, kind: string, name: string): MetaRecord | null {
  const row = db.get<MetaRow>('SELECT * FROM delos_meta WHERE kind = ? AND name = ?', kind, name)
  return row === undefined ? null : recordOf(row)
}

/** Records of a kind (null: of any) that have all these labels, by kind and name, `after` which one to go on. */
export function metaRecords(
  db: ReadDb,
  kind: string | null,
  labels: Readonly<Record<string, string>>,
  after: { kind: string; name: string },
  limit: number,
): MetaRecord[] {
  const wanted = Object.entries(labels)
  const params: SqlValue[] = [after.kind, after.name]
  const conditions = ['(m.kind, m.name) > (?, ?)']
  if (kind !== null) {
    conditions.push('m.kind = ?')
    params.push(kind)
  }
  for (const [label, value] of wanted) {
    conditions.push('(m.kind, m.name) IN (SELECT kind, name FROM delos_meta_label WHERE label = ? AND value = ?)')
    params.push(label, value)
  }
  return db
    .all<MetaRow>(`SELECT * FROM delos_meta m WHERE ${conditions.join(' AND ')} ORDER BY m.kind, m.name LIMIT ?`, ...params, limit)
    .map(recordOf)
}

function recordOf(row: MetaRow): MetaRecord {
  return { ...row, labels: JSON.parse(row.labels) as Record<string, string>, body: JSON.parse(row.body) as unknown }
}
