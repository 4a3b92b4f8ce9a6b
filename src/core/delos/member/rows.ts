import { tokenTable } from '../../contracts/one-time-token.ts'
import type { ReadDb } from '../../contracts/storage.ts'

/** What servers may join by. */
export const joinTokens = tokenTable('delos_token')

export interface CertificateRow {
  server: string
  name: string
  key: string
  serial: string
  not_before: number
  not_after: number
  /** hash of the token by which the server came in; null: it began the cluster */
  token: string | null
}

/** The certificate of a server, or null. */
export function certificateOf(db: ReadDb, server: string): CertificateRow | null {
  return certificateBy(db, 'server', server)
}

/** The certificate that has this key, or null. */
export function certificateOfKey(db: ReadDb, key: string): CertificateRow | null {
  return certificateBy(db, 'key', key)
}

function certificateBy(db: ReadDb, column: 'server' | 'key', value: string): CertificateRow | null {
  const row = db.get<CertificateRow>(
    `SELECT server, name, key, serial, not_before, not_after, token FROM delos_cert WHERE ${column} = ?`,
    value,
  )
  return row ?? null
}
