/**
 * The catalogue's functions as macros of schema `mcat`: name → bodies by number of parameters, which are `a`, `b`, `c`, `d`.
 * A macro's argument is put in as it stands, so a body reads the views `look_…` alone, whose columns have names that no
 * argument has: with `oid` in it, the caller's `oid` would be the macro's own. What a store of events cannot have (constraints, views, comments on columns) is answered as PostgreSQL answers where there is none.
 */
const NOTHING = 'NULL::VARCHAR'
const of = (bodies: Record<number, string>): Record<number, string> => bodies
const always = (value: string, ...counts: number[]): Record<number, string> => Object.fromEntries(counts.map((count) => [count, value]))

const formatType = "CASE WHEN a IS NULL THEN NULL ELSE coalesce((SELECT min(mcat_name) FROM mcat.look_type WHERE mcat_oid = a), '???') END"

const description = (catalogue: string): string =>
  `(SELECT min(mcat_description) FROM mcat.look_description WHERE mcat_oid = a${catalogue})`

const sizePretty =
  `CASE WHEN abs(a) < 10240 THEN a::BIGINT::VARCHAR || ' bytes' WHEN abs(a) < 10485248 THEN round(a / 1024.0)::BIGINT::VARCHAR || ' kB' ` +
  `WHEN abs(a) < 10736893952 THEN round(a / 1048576.0)::BIGINT::VARCHAR || ' MB' WHEN abs(a) < 10994579406848 THEN round(a / 1073741824.0)::BIGINT::VARCHAR || ' GB' ` +
  `ELSE round(a / 1099511627776.0)::BIGINT::VARCHAR || ' TB' END`

const bytesOf = `coalesce((SELECT max(mcat_bytes) FROM mcat.look_size WHERE mcat_oid = a::UINTEGER), 0)::BIGINT`
const hasSelect = (privilege: string): string => `position('SELECT' IN upper(${privilege})) > 0`
const relationOf = `(SELECT min(mcat_oid) FROM mcat.look_class WHERE mcat_relname = replace(split_part(a, '.', -1), '"', '') AND (mcat_nspname = split_part(a, '.', 1) OR position('.' IN a) = 0))`

export const CATALOGUE_FUNCTIONS: Record<string, Record<number, string>> = {
  version: always("'PostgreSQL 15.0 (muster scuba), read only'", 0),
  current_database: always("'muster'", 0),
  current_catalog: always("'muster'", 0),
  current_schema: always("'public'", 0),
  current_schemas: of({ 1: "CASE WHEN a THEN ['pg_catalog', 'public'] ELSE ['public'] END" }),
  // Given their value by the rewrite, which knows the session.
  current_user: of({ 1: 'a' }),
  session_user: of({ 1: 'a' }),
  current_role: of({ 1: 'a' }),
  pg_backend_pid: of({ 1: 'a::INTEGER' }),
  current_setting: of({ 1: 'a' }),
  set_config: of({ 1: 'a' }),

  format_type: of({ 1: formatType, 2: formatType }),
  pg_typeof: of({ 1: 'lower(typeof(a))' }),
  to_regtype: of({ 1: "(SELECT min(mcat_oid) FROM mcat.look_type WHERE mcat_typname = split_part(a, '.', -1))" }),
  to_regclass: of({ 1: relationOf }),
  regclass_oid: of({ 1: `coalesce(try_cast(a AS UINTEGER), ${relationOf})` }),
  regclass_name: of({
    1: `coalesce((SELECT min(CASE mcat_nspname WHEN 'information_schema' THEN 'information_schema.' ELSE '' END || mcat_relname) FROM mcat.look_class WHERE mcat_oid = a::UINTEGER), CASE a::UINTEGER WHEN 0 THEN '-' ELSE a::VARCHAR END)`,
  }),
  regtype_oid: of({
    1: `(SELECT min(mcat_oid) FROM mcat.look_type WHERE mcat_typname = replace(split_part(a, '.', -1), '"', '') OR mcat_name = a)`,
  }),
  regnamespace_oid: of({ 1: '(SELECT min(mcat_oid) FROM mcat.look_namespace WHERE mcat_nspname = a)' }),
  regnamespace_name: of({ 1: '(SELECT min(mcat_nspname) FROM mcat.look_namespace WHERE mcat_oid = a::UINTEGER)' }),
  regrole_name: of({ 1: '(SELECT min(mcat_rolname) FROM mcat.look_role WHERE mcat_oid = a::UINTEGER)' }),
  regproc_text: of({ 1: "split_part(a::VARCHAR, '.', -1)" }),

  pg_get_userbyid: of({
    1: "coalesce((SELECT min(mcat_rolname) FROM mcat.look_role WHERE mcat_oid = a), 'unknown (OID=' || a || ')')",
  }),
  pg_encoding_to_char: of({ 1: "CASE a WHEN 6 THEN 'UTF8' WHEN 0 THEN 'SQL_ASCII' ELSE '' END" }),
  pg_char_to_encoding: of({ 1: "CASE upper(a) WHEN 'UTF8' THEN 6 WHEN 'SQL_ASCII' THEN 0 ELSE -1 END" }),
  pg_client_encoding: always("'UTF8'", 0),
  pg_table_is_visible: of({ 1: "EXISTS (SELECT 1 FROM mcat.look_class WHERE mcat_oid = a AND mcat_nspname <> 'information_schema')" }),
  pg_type_is_visible: always('true', 1),
  pg_function_is_visible: always('true', 1),
  pg_operator_is_visible: always('true', 1),
  pg_opclass_is_visible: always('true', 1),
  pg_opfamily_is_visible: always('true', 1),
  pg_collation_is_visible: always('true', 1),
  pg_conversion_is_visible: always('true', 1),
  pg_statistics_obj_is_visible: always('true', 1),
  pg_ts_config_is_visible: always('true', 1),
  pg_ts_dict_is_visible: always('true', 1),

  pg_get_expr: always(NOTHING, 2, 3),
  pg_get_viewdef: always(NOTHING, 1, 2),
  pg_get_indexdef: always(NOTHING, 1, 3),
  pg_get_constraintdef: always(NOTHING, 1, 2),
  pg_get_triggerdef: always(NOTHING, 1, 2),
  pg_get_ruledef: always(NOTHING, 1, 2),
  pg_get_functiondef: always(NOTHING, 1),
  pg_get_function_result: always(NOTHING, 1),
  pg_get_function_arguments: always(NOTHING, 1),
  pg_get_function_identity_arguments: always(NOTHING, 1),
  pg_get_function_arg_default: always(NOTHING, 2),
  pg_get_function_sqlbody: always(NOTHING, 1),
  pg_get_partkeydef: always(NOTHING, 1),
  pg_get_partition_constraintdef: always(NOTHING, 1),
  pg_get_serial_sequence: always(NOTHING, 2),
  pg_get_statisticsobjdef: always(NOTHING, 1),
  pg_get_statisticsobjdef_columns: always(NOTHING, 1),
  pg_describe_object: always(NOTHING, 3),
  col_description: of({
    2: 'CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE NULL::VARCHAR END',
  }),
  obj_description: of({ 1: description(''), 2: description(' AND mcat_relname = b') }),
  shobj_description: of({ 2: 'CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE NULL::VARCHAR END' }),

  // What everybody who is let in may do: read.
  has_table_privilege: of({ 2: hasSelect('b'), 3: hasSelect('c') }),
  has_any_column_privilege: of({ 2: hasSelect('b'), 3: hasSelect('c') }),
  has_column_privilege: of({ 3: hasSelect('c'), 4: hasSelect('d') }),
  has_schema_privilege: of({ 2: "upper(b) = 'USAGE'", 3: "upper(c) = 'USAGE'" }),
  has_database_privilege: of({ 2: "upper(b) = 'CONNECT'", 3: "upper(c) = 'CONNECT'" }),
  has_function_privilege: always('true', 2, 3),
  has_language_privilege: always('false', 2, 3),
  has_sequence_privilege: always('false', 2, 3),
  has_server_privilege: always('false', 2, 3),
  has_tablespace_privilege: always('false', 2, 3),
  has_type_privilege: always('true', 2, 3),
  pg_has_role: always('true', 2, 3),
  pg_relation_is_publishable: always('false', 1),
  pg_relation_is_updatable: always('0', 2),
  pg_column_is_updatable: always('false', 3),
  row_security_active: always('false', 1),

  pg_size_pretty: of({ 1: sizePretty }),
  pg_table_size: of({ 1: bytesOf }),
  pg_total_relation_size: of({ 1: bytesOf }),
  pg_relation_size: of({ 1: bytesOf, 2: bytesOf }),
  pg_indexes_size: always('0::BIGINT', 1),
  pg_database_size: of({
    1: '(SELECT coalesce(sum(mcat_bytes), 0)::BIGINT FROM mcat.look_size WHERE a IS NOT NULL)',
  }),
  pg_tablespace_location: always("''", 1),
  pg_tablespace_size: always('0::BIGINT', 1),
  pg_relation_filepath: always(NOTHING, 1),
  pg_relation_filenode: always('NULL::UINTEGER', 1),
  pg_filenode_relation: always('NULL::UINTEGER', 2),

  pg_is_in_recovery: always('false', 0),
  pg_is_other_temp_schema: always('false', 1),
  pg_my_temp_schema: always('0::UINTEGER', 0),
  pg_postmaster_start_time: always('NULL::TIMESTAMP', 0),
  pg_conf_load_time: always('NULL::TIMESTAMP', 0),
  inet_server_addr: always(NOTHING, 0),
  inet_server_port: always('NULL::INTEGER', 0),
  inet_client_addr: always(NOTHING, 0),
  inet_client_port: always('NULL::INTEGER', 0),
  pg_stat_get_numscans: always('0::BIGINT', 1),
  pg_sequence_last_value: always('NULL::BIGINT', 1),
  pg_export_snapshot: always(NOTHING, 0),
  txid_current: always('1::BIGINT', 0),

  // What the engine has not of functions over times and texts.
  date_bin: of({ 3: 'time_bucket(a::INTERVAL, b::TIMESTAMP, c::TIMESTAMP)' }),
  statement_timestamp: always('now()', 0),
  clock_timestamp: always('now()', 0),
  initcap: of({ 1: "array_to_string(list_transform(string_split(lower(a), ' '), lambda w: upper(left(w, 1)) || substr(w, 2)), ' ')" }),
  quote_ident: of({ 1: `CASE WHEN regexp_full_match(a, '[a-z_][a-z0-9_]*') THEN a ELSE '"' || replace(a, '"', '""') || '"' END` }),
  quote_literal: of({ 1: `'''' || replace(a::VARCHAR, '''', '''''') || ''''` }),
  array_upper: of({ 2: 'CASE WHEN b = 1 AND len(a) > 0 THEN len(a)::INTEGER END' }),
  array_lower: of({ 2: 'CASE WHEN b = 1 AND len(a) > 0 THEN 1 END' }),
  array_remove: of({ 2: 'list_filter(a, lambda x: x IS DISTINCT FROM b)' }),
  _pg_expandarray: of({ 1: 'unnest([struct_pack(x := v, n := i::INTEGER) FOR v, i IN coalesce(a, [])])' }),
}

/** Functions of the catalogue that give rows and take nothing: they are tables here. */
export const CATALOGUE_ROW_FUNCTIONS: ReadonlySet<string> = new Set(['pg_get_keywords', 'pg_show_all_settings', 'pg_timezone_names'])
