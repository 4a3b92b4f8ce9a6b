import { quoteText } from '../../names.ts'
import { SETTINGS } from '../settings.ts'
import { COLUMN_CODES } from './codes.ts'
import { CATALOGUE_FUNCTIONS } from './functions.ts'
import { CATALOGUE_RELATIONS } from './relations.ts'
import { PG_TYPE_ROWS, TYPE_NAMES } from './type-rows.ts'

/** Oids of the schemas, the role that owns all, and the database. */
export const OIDS = { pgCatalog: 11, informationSchema: 13_000, public: 2200, owner: 10, database: 16_384 } as const

/** One line of the file from which an engine learns of the tables: a column of one. */
export interface CatalogueColumn {
  relid: number
  relname: string
  rows: number
  bytes: number
  /** from 1 */
  attnum: number
  attname: string
  /** oid of PostgreSQL's type */
  typid: number
}

/** Statements that make schema `mcat` with all that does not change. An engine runs them once, before the first question. */
export function catalogueSql(): string[] {
  const relations = CATALOGUE_RELATIONS.map(
    ({ name, columns }) =>
      `CREATE TABLE mcat.${name} (${columns.map((column) => `"${column.name}" ${COLUMN_CODES[column.code].engine}`).join(', ')})`,
  )
  const macros = Object.entries(CATALOGUE_FUNCTIONS).map(
    ([name, bodies]) =>
      `CREATE MACRO mcat."${name}" ${Object.entries(bodies)
        .map(([count, body]) => `(${'abcd'.slice(0, Number(count)).split('').join(', ')}) AS (${body})`)
        .join(', ')}`,
  )
  return [
    'CREATE SCHEMA mcat',
    'CREATE TABLE mcat.source (relid UINTEGER, relname VARCHAR, nsp UINTEGER, kind VARCHAR, "rows" BIGINT, bytes BIGINT, attnum SMALLINT, attname VARCHAR, typid UINTEGER)',
    ...relations,
    'CREATE TABLE mcat.type_names (oid UINTEGER, name VARCHAR)',
    'CREATE TABLE mcat.pg_get_keywords (word VARCHAR, catcode VARCHAR, barelabel BOOLEAN, catdesc VARCHAR, baredesc VARCHAR)',
    'CREATE VIEW mcat.pg_show_all_settings AS SELECT * FROM mcat.pg_settings',
    ...LOOKUPS,
    ...macros,
    ...fixedRows(),
  ]
}

/** Statements that take over what the file says of the tables; to be run in one transaction. */
export function refillSql(path: string): string[] {
  return [
    'DELETE FROM mcat.source WHERE kind IS NULL',
    `INSERT INTO mcat.source BY NAME SELECT relid, relname, ${OIDS.public} AS nsp, "rows", bytes, attnum, attname, typid FROM read_json(${quoteText(path)}, format='newline_delimited', columns={relid: 'UINTEGER', relname: 'VARCHAR', "rows": 'BIGINT', bytes: 'BIGINT', attnum: 'SMALLINT', attname: 'VARCHAR', typid: 'UINTEGER'})`,
    ...REFILLED.flatMap(([name, select]) => [`DELETE FROM mcat.${name}`, `INSERT INTO mcat.${name} BY NAME ${select}`]),
  ]
}

/** What the macros read; see `functions.ts` for the names of the columns. */
const LOOKUPS: readonly string[] = [
  'CREATE VIEW mcat.look_type AS SELECT n.oid AS mcat_oid, n.name AS mcat_name, t.typname AS mcat_typname FROM mcat.type_names n LEFT JOIN mcat.pg_type t ON t.oid = n.oid',
  'CREATE VIEW mcat.look_class AS SELECT c.oid AS mcat_oid, c.relname AS mcat_relname, n.nspname AS mcat_nspname FROM mcat.pg_class c JOIN mcat.pg_namespace n ON n.oid = c.relnamespace',
  'CREATE VIEW mcat.look_namespace AS SELECT oid AS mcat_oid, nspname AS mcat_nspname FROM mcat.pg_namespace',
  'CREATE VIEW mcat.look_role AS SELECT oid AS mcat_oid, rolname AS mcat_rolname FROM mcat.pg_roles',
  'CREATE VIEW mcat.look_size AS SELECT relid AS mcat_oid, max(bytes) AS mcat_bytes FROM mcat.source GROUP BY relid',
  'CREATE VIEW mcat.look_description AS SELECT d.objoid AS mcat_oid, d.description AS mcat_description, k.relname AS mcat_relname FROM mcat.pg_description d JOIN mcat.pg_class k ON k.oid = d.classoid WHERE d.objsubid = 0',
]

const MUSTER = "'muster'"
const RELATIONS = `(SELECT relid, min(relname) AS relname, min(nsp) AS nsp, coalesce(min(kind), 'r') AS kind, max("rows") AS "rows", count(*) AS natts FROM mcat.source GROUP BY relid)`
const PUBLIC_TABLES = `(SELECT relid, min(relname) AS relname, max("rows") AS "rows" FROM mcat.source WHERE kind IS NULL GROUP BY relid)`
const SCHEMA_OF = `CASE nsp WHEN ${OIDS.public} THEN 'public' WHEN ${OIDS.pgCatalog} THEN 'pg_catalog' ELSE 'information_schema' END`

/** Relation → the rows it has, from `mcat.source`. */
const REFILLED: readonly [string, string][] = [
  [
    'pg_class',
    `SELECT relid AS oid, relname, nsp AS relnamespace, 0 AS reltype, 0 AS reloftype, ${OIDS.owner} AS relowner, CASE kind WHEN 'r' THEN 2 ELSE 0 END AS relam, relid AS relfilenode,
      0 AS reltablespace, 0 AS relpages, CASE WHEN "rows" IS NULL THEN -1 ELSE "rows" END::FLOAT AS reltuples, 0 AS relallvisible, 0 AS reltoastrelid, false AS relhasindex, false AS relisshared,
      'p' AS relpersistence, kind AS relkind, natts::SMALLINT AS relnatts, 0 AS relchecks, false AS relhasrules, false AS relhastriggers, false AS relhassubclass,
      false AS relrowsecurity, false AS relforcerowsecurity, true AS relispopulated, 'd' AS relreplident, false AS relispartition, 0 AS relrewrite, 0 AS relfrozenxid, 0 AS relminmxid FROM ${RELATIONS}`,
  ],
  [
    'pg_attribute',
    `SELECT s.relid AS attrelid, s.attname, s.typid AS atttypid, -1 AS attstattarget, t.typlen AS attlen, s.attnum, 0 AS attndims, -1 AS attcacheoff, -1 AS atttypmod, t.typbyval AS attbyval,
      t.typalign AS attalign, t.typstorage AS attstorage, '' AS attcompression, false AS attnotnull, false AS atthasdef, false AS atthasmissing, '' AS attidentity, '' AS attgenerated,
      false AS attisdropped, true AS attislocal, 0 AS attinhcount, t.typcollation AS attcollation FROM mcat.source s JOIN mcat.pg_type t ON t.oid = s.typid`,
  ],
  [
    'pg_tables',
    `SELECT 'public' AS schemaname, relname AS tablename, ${MUSTER} AS tableowner, false AS hasindexes, false AS hasrules, false AS hastriggers, false AS rowsecurity FROM ${PUBLIC_TABLES}`,
  ],
  ...(['pg_stat_user_tables', 'pg_stat_all_tables'] as const).map((name): [string, string] => [
    name,
    `SELECT relid, 'public' AS schemaname, relname, 0 AS seq_scan, "rows" AS n_tup_ins, "rows" AS n_live_tup, 0 AS n_dead_tup FROM ${PUBLIC_TABLES}`,
  ]),
  [
    'tables',
    `SELECT ${MUSTER} AS table_catalog, ${SCHEMA_OF} AS table_schema, relname AS table_name, CASE kind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, 'NO' AS is_insertable_into, 'NO' AS is_typed FROM ${RELATIONS}`,
  ],
  [
    'columns',
    `SELECT ${MUSTER} AS table_catalog, ${SCHEMA_OF} AS table_schema, s.relname AS table_name, s.attname AS column_name, s.attnum AS ordinal_position, 'YES' AS is_nullable,
      CASE WHEN t.typcategory = 'A' THEN 'ARRAY' ELSE mcat.format_type(s.typid) END AS data_type, CASE s.typid WHEN 25 THEN 1073741824 END AS character_octet_length,
      CASE s.typid WHEN 20 THEN 64 WHEN 23 THEN 32 WHEN 21 THEN 16 WHEN 701 THEN 53 WHEN 700 THEN 24 END AS numeric_precision, CASE WHEN s.typid IN (20, 21, 23) THEN 2 WHEN s.typid IN (700, 701) THEN 2 END AS numeric_precision_radix,
      CASE WHEN s.typid IN (20, 21, 23) THEN 0 END AS numeric_scale, CASE s.typid WHEN 1184 THEN 6 END AS datetime_precision, ${MUSTER} AS udt_catalog, 'pg_catalog' AS udt_schema, t.typname AS udt_name,
      s.attnum::VARCHAR AS dtd_identifier, 'NO' AS is_self_referencing, 'NO' AS is_identity, 'NO' AS identity_cycle, 'NEVER' AS is_generated, 'NO' AS is_updatable
      FROM mcat.source s JOIN mcat.pg_type t ON t.oid = s.typid`,
  ],
  ...(['table_privileges', 'role_table_grants'] as const).map((name): [string, string] => [
    name,
    `SELECT ${MUSTER} AS grantor, ${MUSTER} AS grantee, ${MUSTER} AS table_catalog, 'public' AS table_schema, relname AS table_name, 'SELECT' AS privilege_type, 'NO' AS is_grantable, 'YES' AS with_hierarchy FROM ${PUBLIC_TABLES}`,
  ]),
]

const KEYWORDS =
  'all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral leading limit localtime localtimestamp not null offset on only or order placing primary references returning select session_user some symmetric table then to trailing true union unique user using variadic when where window with'

function fixedRows(): string[] {
  const insert = (table: string, columns: string, ...rows: string[]): string =>
    `INSERT INTO mcat.${table} (${columns}) VALUES ${rows.map((row) => `(${row})`).join(', ')}`
  const types = PG_TYPE_ROWS.map(
    ([oid, name = '', length, byValue, kind, category, isPreferred, element, array, alignment, storage, collation, input = '']) =>
      `${oid}, ${quoteText(name)}, ${OIDS.pgCatalog}, ${OIDS.owner}, ${length}, ${byValue === 't'}, '${kind}', '${category}', ${isPreferred === 't'}, true, ',', 0, '-', ${element}, ${array}, ${quoteText(input)}, '${alignment}', '${storage}', false, 0, -1, 0, ${collation}`,
  )
  const own = CATALOGUE_RELATIONS.flatMap(({ schema, name, oid, kind, columns }) =>
    columns.map(
      (column, index) =>
        `${oid}, '${name}', ${schema === 'pg_catalog' ? OIDS.pgCatalog : OIDS.informationSchema}, '${kind}', ${index + 1}, '${column.name}', ${COLUMN_CODES[column.code].oid}`,
    ),
  )
  const settings = Object.entries(SETTINGS).map(
    ([name, { value, description }]) =>
      `${quoteText(name)}, ${quoteText(value)}, 'muster', ${quoteText(description)}, 'user', 'string', 'default', ${quoteText(value)}, ${quoteText(value)}, false`,
  )
  return [
    insert(
      'pg_namespace',
      'oid, nspname, nspowner, nspacl',
      ...[
        `${OIDS.pgCatalog}, 'pg_catalog', ${OIDS.owner}, NULL`,
        `${OIDS.informationSchema}, 'information_schema', ${OIDS.owner}, NULL`,
        `${OIDS.public}, 'public', 6171, ['pg_database_owner=UC/pg_database_owner', '=U/pg_database_owner']`,
      ],
    ),
    insert(
      'pg_database',
      'oid, datname, datdba, encoding, datlocprovider, datistemplate, datallowconn, datconnlimit, datfrozenxid, datminmxid, dattablespace, datcollate, datctype',
      `${OIDS.database}, ${MUSTER}, ${OIDS.owner}, 6, 'c', false, true, -1, 0, 0, 1663, 'C', 'C'`,
    ),
    ...['pg_roles', 'pg_authid'].map((table) =>
      insert(
        table,
        'oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit, rolbypassrls',
        `${OIDS.owner}, ${MUSTER}, false, true, false, false, true, false, -1, false`,
        "6171, 'pg_database_owner', false, true, false, false, false, false, -1, false",
      ),
    ),
    insert(
      'pg_user',
      'usename, usesysid, usecreatedb, usesuper, userepl, usebypassrls',
      `${MUSTER}, ${OIDS.owner}, false, false, false, false`,
    ),
    insert('pg_am', 'oid, amname, amhandler, amtype', "2, 'heap', 'heap_tableam_handler', 't'"),
    insert('pg_tablespace', 'oid, spcname, spcowner', `1663, 'pg_default', ${OIDS.owner}`, `1664, 'pg_global', ${OIDS.owner}`),
    insert(
      'pg_language',
      'oid, lanname, lanowner, lanispl, lanpltrusted',
      `12, 'internal', ${OIDS.owner}, false, false`,
      `14, 'sql', ${OIDS.owner}, false, true`,
    ),
    insert(
      'pg_collation',
      'oid, collname, collnamespace, collowner, collprovider, collisdeterministic, collencoding, collcollate, collctype',
      `100, 'default', ${OIDS.pgCatalog}, ${OIDS.owner}, 'd', true, -1, NULL, NULL`,
      `950, 'C', ${OIDS.pgCatalog}, ${OIDS.owner}, 'c', true, -1, 'C', 'C'`,
    ),
    insert('pg_description', 'objoid, classoid, objsubid, description', `${OIDS.public}, 2615, 0, 'standard public schema'`),
    insert(
      'pg_type',
      'oid, typname, typnamespace, typowner, typlen, typbyval, typtype, typcategory, typispreferred, typisdefined, typdelim, typrelid, typsubscript, typelem, typarray, typinput, typalign, typstorage, typnotnull, typbasetype, typtypmod, typndims, typcollation',
      ...types,
    ),
    insert('type_names', 'oid, name', "0, '-'", ...TYPE_NAMES.map(([oid, name]) => `${oid}, ${quoteText(name)}`)),
    insert('source', 'relid, relname, nsp, kind, attnum, attname, typid', ...own),
    insert(
      'pg_settings',
      'name, setting, category, short_desc, context, vartype, source, boot_val, reset_val, pending_restart',
      ...settings,
    ),
    insert('pg_get_keywords', 'word, catcode', ...KEYWORDS.split(' ').map((word) => `'${word}', 'R'`)),
    insert('pg_timezone_names', 'name, abbrev, utc_offset, is_dst', "'UTC', 'UTC', '00:00:00', false"),
    insert(
      'schemata',
      'catalog_name, schema_name, schema_owner',
      ...[
        ['public', 'pg_database_owner'],
        ['information_schema', 'muster'],
        ['pg_catalog', 'muster'],
      ].map(([schema, owner]) => `${MUSTER}, '${schema}', '${owner}'`),
    ),
    insert('information_schema_catalog_name', 'catalog_name', MUSTER),
    insert('enabled_roles', 'role_name', MUSTER),
    insert(
      'character_sets',
      'character_set_name, character_repertoire, form_of_use, default_collate_catalog, default_collate_schema, default_collate_name',
      `'UTF8', 'UCS', 'UTF8', ${MUSTER}, 'pg_catalog', 'default'`,
    ),
  ]
}
