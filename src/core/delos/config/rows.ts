import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { userBucket } from '../../kernel/hash.ts'
import type { VersionState } from './schema.ts'

export interface ConfigRow {
  name: string
  /** the service it concerns, for incidents; null: none in particular */
  service: string | null
  /** the highest version so far */
  latest: number
  active: number | null
  /** the version on trial */
  proposed: number | null
  canary_ppm: number | null
  /** log time in ms at which a trial without a verdict ends */
  canary_until: number | null
  /** a trial is good once fewer requests than this are shown to fail, parts per million */
  canary_good_below: number | null
}

export interface ConfigVersionRow {
  name: string
  version: number
  state: VersionState
  /** the version this one took the place of */
  replaced: number | null
  author: string
  at: number
  decided_at: number | null
  verdict: 'pass' | 'fail' | null
  reason: string | null
  schema: string | null
  bytes: number
  body: string
}

export function configRow(db: ReadDb, name: string): ConfigRow | null {
  return db.get<ConfigRow>('SELECT * FROM delos_config WHERE name = ?', name) ?? null
}

export function versionRow(db: ReadDb, name: string, version: number): ConfigVersionRow | null {
  return db.get<ConfigVersionRow>('SELECT * FROM delos_config_version WHERE name = ? AND version = ?', name, version) ?? null
}

/** All of them, by name. */
export function configRows(db: ReadDb): ConfigRow[] {
  return db.all<ConfigRow>('SELECT * FROM delos_config ORDER BY name')
}

/** Configurations on trial. */
export function canaries(db: ReadDb): ConfigRow[] {
  return db.all<ConfigRow>('SELECT * FROM delos_config WHERE proposed IS NOT NULL ORDER BY name')
}

/**
 * The version that a reader is served: the one on trial if its bucket lies below the share, else the active one. The same
 * reader gets the same answer for the whole trial, and another one for another version.
 * @param reader what tells one reader from another, e.g. a host or a task; null: never the one on trial
 */
export function versionFor(row: ConfigRow, reader: string | null): number | null {
  const { name, proposed, canary_ppm: share } = row
  if (reader === null || proposed === null || share === null) return row.active
  return userBucket(reader, `${name}@${proposed}`) < share ? proposed : row.active
}

export function unknownConfig(name: string, version?: number): MusterError {
  return refuse(
    'DELOS_CONFIG_UNKNOWN',
    version === undefined ? `There is no configuration ${name}.` : `There is no version ${version} of ${name} any more, or yet.`,
  )
}
