import type { ReadDb } from '../../contracts/storage.ts'

export interface TokenRow {
  hash: string
  uses: number
  used: number
  /** log time in ms */
  until: number
}

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

export function tokenRow(db: ReadDb, hash: string): TokenRow | null {
  return db.get<TokenRow>('SELECT hash, uses, used, until FROM delos_token WHERE hash = ?', hash) ?? null
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
