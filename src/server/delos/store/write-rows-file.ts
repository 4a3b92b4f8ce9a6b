import { alarmId } from '../../../core/delos/kv/state.ts'
import type { KvRows } from '../../../core/delos/kv/rows.ts'
import { bigintJson } from '../../../core/kernel/json.ts'
import { VersionFrame } from './row-frame.ts'
import { openRowsFile, type StoreCursor } from './rows-file.ts'
import { versionChunks } from './version-chunks.ts'

const FRAME_BYTES = 1024 * 1024

/** Makes a `kv.db` of a whole store; the file must not be there yet. */
export function writeRowsFile(
  file: string,
  { versions, leases, users, roles, alarms, sessions = [], state }: KvRows,
  cursor: StoreCursor,
): void {
  const db = openRowsFile(file)
  try {
    db.transaction(() => {
      const { insert } = versionChunks(db)
      const frame = new VersionFrame()
      for (const version of versions) {
        frame.add(version)
        if (frame.length > FRAME_BYTES) insert(frame.take())
      }
      insert(frame.take())
      const put = <Row>(table: string, rows: readonly Row[], idOf: (row: Row) => string): void => {
        const statement = db.prepare(`INSERT INTO ${table} VALUES (?, ?)`)
        for (const row of rows) statement.run(idOf(row), bigintJson(row))
      }
      put('kv_lease', leases, ({ id }) => id.toString())
      put('kv_user', users, ({ name }) => name)
      put('kv_role', roles, ({ name }) => name)
      put('kv_alarm', alarms, alarmId)
      put('kv_session', sessions, ({ id }) => String(id))
      db.prepare('INSERT INTO kv_state VALUES (1, ?)').run(bigintJson({ cursor, state }))
    })()
  } finally {
    db.close()
  }
}
