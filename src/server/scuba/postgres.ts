import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAddress } from '../../core/contracts/join-token.ts'
import type { Entry } from '../../core/contracts/entry.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { goodTokens } from '../../core/delos/access/rows.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { replaceFileDurably } from '../../platform/files.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { assertPortFree } from '../processes/port.ts'
import { accessFileOf, accessSchema, type PgAccess } from './leaf/pg/access-file.ts'

export interface PostgresAccess {
  /** `HOST:PORT`, or null: nowhere but on the owner's socket */
  address: string | null
  stop: () => void
}

/**
 * Keeps the leaf's `postgres.json`: where PostgreSQL's clients are answered, with which certificate, and which tokens may log in.
 * The leaf goes by it also while this server is away.
 * @param makeCertificate sees to it that `keys/server.pem` is there
 * @throws USAGE for what is no address, what `listen` would say of a port that somebody else has
 */
export async function keepPostgresAccess(options: {
  paths: Pick<StatePaths, 'scuba' | 'keys'>
  address: string | null
  db: ReadDb
  onEntries: (listener: (entries: readonly Entry[]) => void) => () => void
  makeCertificate: () => Promise<unknown>
}): Promise<PostgresAccess> {
  const { paths, address, db } = options
  const file = accessFileOf(paths.scuba)
  const listen = address === null ? null : parseAddress(address)
  if (address !== null && listen === null) throw new MusterError('USAGE', `--postgres: "${address}" is not HOST:PORT`)
  if (listen !== null) {
    // Our own leaf may answer there already.
    if (addressIn(file) !== address) await assertPortFree(listen.host, listen.port)
    await options.makeCertificate()
  }
  const write = (): void => {
    const logins = goodTokens(db).flatMap(({ name, scram }) => (scram === null ? [] : [{ name, verifier: scram }]))
    const access: PgAccess = { listen, tls: listen === null ? null : join(paths.keys, 'server.pem'), logins }
    replaceFileDurably(file, `${JSON.stringify(access)}\n`)
  }
  mkdirSync(paths.scuba, { recursive: true, mode: 0o700 })
  write()
  const stop = options.onEntries((entries) => {
    if (entries.some(({ type }) => type.startsWith('delos.ApiToken'))) write()
  })
  return { address, stop }
}

function addressIn(file: string): string | null {
  if (!existsSync(file)) return null
  try {
    const { listen } = accessSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    return listen === null ? null : `${listen.host}:${listen.port}`
  } catch {
    // It is written anew anyway.
    return null
  }
}
