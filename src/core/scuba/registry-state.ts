import type { ReadDb } from '../contracts/storage.ts'
import { declarationSchema, type Declaration } from './declared/declaration.ts'
import { rowRuleSchema, type RowRule } from './declared/rules.ts'
import type { Quota } from './quota/quota.ts'
import { registrySchema, tableConfigSchema, type Peer, type Registry, type Shard, type TableConfig } from './registry.ts'
import { retentionPolicySchema, type Hold, type RetentionPolicy } from './retention/policy.ts'
import type { ColumnType, ColumnTypes } from './rows/columns.ts'

export interface StoredTable {
  name: string
  declaration: Declaration | null
  /** of the declaration; 0: not declared */
  version: number
  setAtMs: number | null
  setBy: string | null
  observedAtMs: number | null
}

interface TableRow {
  name: string
  declaration: string | null
  version: number
  set_at: number | null
  set_by: string | null
  observed_at: number | null
}

const TABLE = 'SELECT name, declaration, version, set_at, set_by, observed_at FROM scuba_table'

function tableOf(row: TableRow): StoredTable {
  return {
    name: row.name,
    declaration: row.declaration === null ? null : declarationSchema.parse(JSON.parse(row.declaration)),
    version: row.version,
    setAtMs: row.set_at,
    setBy: row.set_by,
    observedAtMs: row.observed_at,
  }
}

export function storedTables(db: ReadDb): StoredTable[] {
  return db.all<TableRow>(`${TABLE} ORDER BY name`).map(tableOf)
}

export function storedTable(db: ReadDb, name: string): StoredTable | null {
  const row = db.get<TableRow>(`${TABLE} WHERE name = ?`, name)
  return row ? tableOf(row) : null
}

export interface StoredColumn {
  name: string
  type: ColumnType
  origin: 'declared' | 'observed'
  isRetyped: boolean
}

export function storedColumns(db: ReadDb, table: string): StoredColumn[] {
  const rows = db.all<{ name: string; type: ColumnType; origin: 'declared' | 'observed'; is_retyped: number }>(
    'SELECT name, type, origin, is_retyped FROM scuba_column WHERE tbl = ? ORDER BY name',
    table,
  )
  return rows.map(({ is_retyped: retyped, ...column }) => ({ ...column, isRetyped: retyped === 1 }))
}

export function columnTypes(columns: readonly StoredColumn[]): ColumnTypes {
  return Object.fromEntries(columns.map(({ name, type }) => [name, type]))
}

export interface StoredDerived {
  table: string
  name: string
  sql: string
  version: number
  setAtMs: number
  setBy: string
}

/** @param table only of this one */
export function storedDerived(db: ReadDb, table?: string): StoredDerived[] {
  const all = db.all<StoredDerived>(
    'SELECT tbl AS "table", name, sql, version, set_at AS setAtMs, set_by AS setBy FROM scuba_derived ORDER BY tbl, name',
  )
  return table === undefined ? all : all.filter((derived) => derived.table === table)
}

export interface StoredHold extends Hold {
  setAtMs: number
  setBy: string
}

export function storedHolds(db: ReadDb): StoredHold[] {
  return db.all<StoredHold>(
    'SELECT id, tbl AS "table", from_ms AS fromMs, to_ms AS toMs, sev, reason, set_at AS setAtMs, set_by AS setBy FROM scuba_hold ORDER BY id',
  )
}

export interface StoredQuota extends Quota {
  setAtMs: number
  setBy: string
}

export function storedQuotas(db: ReadDb): StoredQuota[] {
  return db.all<StoredQuota>(
    `SELECT kind, name, bytes_per_second AS bytesPerSecond, burst_bytes AS burstBytes, set_at AS setAtMs, set_by AS setBy
     FROM scuba_quota ORDER BY kind, name`,
  )
}

/** What is set for a table itself; null: nothing. */
export function storedPolicy(db: ReadDb, table: string): RetentionPolicy | null {
  const row = db.get<{ policy: string | null }>('SELECT policy FROM scuba_retention WHERE tbl = ?', table)
  return row?.policy ? retentionPolicySchema.parse(JSON.parse(row.policy)) : null
}

/** The leaves that others reach, lost or not: rows of a lost one are missing in answers. */
export function peersOf(db: ReadDb): Peer[] {
  return db
    .all<Omit<Peer, 'isLeaving'> & { leaving: string | null }>(
      'SELECT id, address, node, server, leaving FROM scuba_leaf WHERE address IS NOT NULL ORDER BY id',
    )
    .map(({ leaving, ...peer }) => ({ ...peer, isLeaving: leaving !== null }))
}

export interface StoredShard {
  id: string
  epoch: number
  primary: string
  /** leaf → the epoch since which it is to hold a copy, without a break */
  replicas: Readonly<Record<string, number>>
  sinceMs: number
  /** of the entry that moved it last */
  position: number
}

export function storedShards(db: ReadDb): StoredShard[] {
  return db
    .all<Omit<StoredShard, 'replicas'> & { replicas: string }>(
      'SELECT id, epoch, primary_leaf AS "primary", replicas, since AS sinceMs, position FROM scuba_shard ORDER BY id',
    )
    .map(({ replicas, ...shard }) => ({ ...shard, replicas: JSON.parse(replicas) as Record<string, number> }))
}

interface LeafPlace extends Omit<Peer, 'address'> {
  address: string | null
  leaving: Shard['leaving']
  state: 'present' | 'lost'
  since: number
}

function shardsOf(db: ReadDb): Shard[] {
  const leaves = new Map(
    db.all<LeafPlace>('SELECT id, node, address, server, leaving, state, since FROM scuba_leaf').map((leaf) => [leaf.id, leaf]),
  )
  return storedShards(db).map(({ id, epoch, primary, replicas, sinceMs }) => {
    const { node = null, server = null, leaving = null, state, since = 0 } = leaves.get(primary) ?? {}
    // While such a one was lost, its keys were others'.
    const mayBeLeftOut = node === null && server !== null
    return {
      ...{ id, epoch, primary, node, leaving },
      sinceMs: mayBeLeftOut ? Math.max(sinceMs, since) : sinceMs,
      isLost: mayBeLeftOut && state === 'lost',
      replicas: Object.keys(replicas).flatMap((leaf): Peer[] => {
        const { node: its = null, address = null, server: shown = null } = leaves.get(leaf) ?? {}
        return address === null ? [] : [{ id: leaf, address, node: its, server: shown }]
      }),
    }
  })
}

/** Everything the leaf has to know. @param version position that `db` is at */
export function registryOf(db: ReadDb, version: number): Registry {
  const tables: Record<string, TableConfig> = {}
  for (const { name, declaration, version: schema } of storedTables(db)) {
    if (declaration !== null) tables[name] = configOf(declaration, schema, storedColumns(db, name))
  }
  const derived: Registry['derived'] = {}
  for (const { table, name, sql, version: own } of storedDerived(db)) (derived[table] ??= {})[name] = { sql, version: own }
  const policies = db.all<{ tbl: string; policy: string }>('SELECT tbl, policy FROM scuba_retention WHERE policy IS NOT NULL ORDER BY tbl')
  return registrySchema.parse({
    version,
    tables,
    retention: Object.fromEntries(policies.map(({ tbl, policy }) => [tbl, JSON.parse(policy)])),
    holds: storedHolds(db),
    quotas: storedQuotas(db),
    derived,
    leaves: peersOf(db),
    shards: shardsOf(db),
    jobs: db.all('SELECT id, tbl AS "table", to_tbl AS "to" FROM scuba_table_job ORDER BY id'),
  })
}

function configOf(declaration: Declaration, version: number, columns: readonly StoredColumn[]): TableConfig {
  const rules: Record<string, RowRule> = {}
  for (const [name, column] of Object.entries(declaration.columns)) {
    const rule = rowRuleSchema.parse(column)
    if (rule.required || rule.enum !== undefined || rule.range !== undefined || rule.regex !== undefined) rules[name] = rule
  }
  return tableConfigSchema.parse({
    version,
    mode: declaration.mode,
    coerce: declaration.coerce,
    keys: declaration.keys,
    timeField: declaration.time_field ?? null,
    columns: Object.fromEntries(Object.entries(declaration.columns).map(([name, { type }]) => [name, type])),
    retyped: columns.filter(({ isRetyped }) => isRetyped).map(({ name }) => name),
    rules,
    sort: declaration.sort,
    timezone: declaration.timezone,
    columnsMax: declaration.columns_max ?? null,
    replicas: declaration.replicas,
  })
}
