import type { ColumnCode } from './codes.ts'

/**
 * The relations of `pg_catalog` and `information_schema` that are answered: schema and name, oid, kind, and their columns as
 * PostgreSQL 15 has them, each with the code of its type (`codes.ts`; text without one).
 */
const TEXT = `
pg_catalog.pg_aggregate 2600 r aggfnoid aggkind aggnumdirectargs:s aggtransfn aggfinalfn aggcombinefn aggserialfn aggdeserialfn aggmtransfn aggminvtransfn aggmfinalfn aggfinalextra:b aggmfinalextra:b aggfinalmodify aggmfinalmodify aggsortop:o aggtranstype:o aggtransspace:i aggmtranstype:o aggmtransspace:i agginitval aggminitval
pg_catalog.pg_am 2601 r oid:o amname amhandler amtype
pg_catalog.pg_amop 2602 r oid:o amopfamily:o amoplefttype:o amoprighttype:o amopstrategy:s amoppurpose amopopr:o amopmethod:o amopsortfamily:o
pg_catalog.pg_amproc 2603 r oid:o amprocfamily:o amproclefttype:o amprocrighttype:o amprocnum:s amproc
pg_catalog.pg_attrdef 2604 r oid:o adrelid:o adnum:s adbin
pg_catalog.pg_attribute 1249 r attrelid:o attname atttypid:o attstattarget:i attlen:s attnum:s attndims:i attcacheoff:i atttypmod:i attbyval:b attalign attstorage attcompression attnotnull:b atthasdef:b atthasmissing:b attidentity attgenerated attisdropped:b attislocal:b attinhcount:i attcollation:o attacl:[] attoptions:[] attfdwoptions:[] attmissingval
pg_catalog.pg_auth_members 1261 r roleid:o member:o grantor:o admin_option:b
pg_catalog.pg_authid 1260 r oid:o rolname rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolbypassrls:b rolconnlimit:i rolpassword rolvaliduntil:t
pg_catalog.pg_available_extensions 12081 v name default_version installed_version comment
pg_catalog.pg_cast 2605 r oid:o castsource:o casttarget:o castfunc:o castcontext castmethod
pg_catalog.pg_class 1259 r oid:o relname relnamespace:o reltype:o reloftype:o relowner:o relam:o relfilenode:o reltablespace:o relpages:i reltuples:f relallvisible:i reltoastrelid:o relhasindex:b relisshared:b relpersistence relkind relnatts:s relchecks:s relhasrules:b relhastriggers:b relhassubclass:b relrowsecurity:b relforcerowsecurity:b relispopulated:b relreplident relispartition:b relrewrite:o relfrozenxid:o relminmxid:o relacl:[] reloptions:[] relpartbound
pg_catalog.pg_collation 3456 r oid:o collname collnamespace:o collowner:o collprovider collisdeterministic:b collencoding:i collcollate collctype colliculocale collversion
pg_catalog.pg_constraint 2606 r oid:o conname connamespace:o contype condeferrable:b condeferred:b convalidated:b conrelid:o contypid:o conindid:o conparentid:o confrelid:o confupdtype confdeltype confmatchtype conislocal:b coninhcount:i connoinherit:b conkey:s[] confkey:s[] conpfeqop:o[] conppeqop:o[] conffeqop:o[] confdelsetcols:s[] conexclop:o[] conbin
pg_catalog.pg_conversion 2607 r oid:o conname connamespace:o conowner:o conforencoding:i contoencoding:i conproc condefault:b
pg_catalog.pg_database 1262 r oid:o datname datdba:o encoding:i datlocprovider datistemplate:b datallowconn:b datconnlimit:i datfrozenxid:o datminmxid:o dattablespace:o datcollate datctype daticulocale datcollversion datacl:[]
pg_catalog.pg_db_role_setting 2964 r setdatabase:o setrole:o setconfig:[]
pg_catalog.pg_default_acl 826 r oid:o defaclrole:o defaclnamespace:o defaclobjtype defaclacl:[]
pg_catalog.pg_depend 2608 r classid:o objid:o objsubid:i refclassid:o refobjid:o refobjsubid:i deptype
pg_catalog.pg_description 2609 r objoid:o classoid:o objsubid:i description
pg_catalog.pg_enum 3501 r oid:o enumtypid:o enumsortorder:f enumlabel
pg_catalog.pg_event_trigger 3466 r oid:o evtname evtevent evtowner:o evtfoid:o evtenabled evttags:[]
pg_catalog.pg_extension 3079 r oid:o extname extowner:o extnamespace:o extrelocatable:b extversion extconfig:o[] extcondition:[]
pg_catalog.pg_foreign_data_wrapper 2328 r oid:o fdwname fdwowner:o fdwhandler:o fdwvalidator:o fdwacl:[] fdwoptions:[]
pg_catalog.pg_foreign_server 1417 r oid:o srvname srvowner:o srvfdw:o srvtype srvversion srvacl:[] srvoptions:[]
pg_catalog.pg_foreign_table 3118 r ftrelid:o ftserver:o ftoptions:[]
pg_catalog.pg_group 12010 v groname grosysid:o grolist:o[]
pg_catalog.pg_index 2610 r indexrelid:o indrelid:o indnatts:s indnkeyatts:s indisunique:b indnullsnotdistinct:b indisprimary:b indisexclusion:b indimmediate:b indisclustered:b indisvalid:b indcheckxmin:b indisready:b indislive:b indisreplident:b indkey:s[] indcollation:o[] indclass:o[] indoption:s[] indexprs indpred
pg_catalog.pg_indexes 12043 v schemaname tablename indexname tablespace indexdef
pg_catalog.pg_inherits 2611 r inhrelid:o inhparent:o inhseqno:i inhdetachpending:b
pg_catalog.pg_language 2612 r oid:o lanname lanowner:o lanispl:b lanpltrusted:b lanplcallfoid:o laninline:o lanvalidator:o lanacl:[]
pg_catalog.pg_locks 12073 v locktype database:o relation:o page:i tuple:s virtualxid transactionid:o classid:o objid:o objsubid:s virtualtransaction pid:i mode granted:b fastpath:b waitstart:t
pg_catalog.pg_matviews 12038 v schemaname matviewname matviewowner tablespace hasindexes:b ispopulated:b definition
pg_catalog.pg_namespace 2615 r oid:o nspname nspowner:o nspacl:[]
pg_catalog.pg_opclass 2616 r oid:o opcmethod:o opcname opcnamespace:o opcowner:o opcfamily:o opcintype:o opcdefault:b opckeytype:o
pg_catalog.pg_operator 2617 r oid:o oprname oprnamespace:o oprowner:o oprkind oprcanmerge:b oprcanhash:b oprleft:o oprright:o oprresult:o oprcom:o oprnegate:o oprcode oprrest oprjoin
pg_catalog.pg_opfamily 2753 r oid:o opfmethod:o opfname opfnamespace:o opfowner:o
pg_catalog.pg_partitioned_table 3350 r partrelid:o partstrat partnatts:s partdefid:o partattrs:s[] partclass:o[] partcollation:o[] partexprs
pg_catalog.pg_policies 12018 v schemaname tablename policyname permissive roles:[] cmd qual with_check
pg_catalog.pg_policy 3256 r oid:o polname polrelid:o polcmd polpermissive:b polroles:o[] polqual polwithcheck
pg_catalog.pg_proc 1255 r oid:o proname pronamespace:o proowner:o prolang:o procost:f prorows:f provariadic:o prosupport prokind prosecdef:b proleakproof:b proisstrict:b proretset:b provolatile proparallel pronargs:s pronargdefaults:s prorettype:o proargtypes:o[] proallargtypes:o[] proargmodes:[] proargnames:[] proargdefaults protrftypes:o[] prosrc probin prosqlbody proconfig:[] proacl:[]
pg_catalog.pg_publication 6104 r oid:o pubname pubowner:o puballtables:b pubinsert:b pubupdate:b pubdelete:b pubtruncate:b pubviaroot:b
pg_catalog.pg_publication_namespace 6237 r oid:o pnpubid:o pnnspid:o
pg_catalog.pg_publication_rel 6106 r oid:o prpubid:o prrelid:o prqual prattrs:s[]
pg_catalog.pg_range 3541 r rngtypid:o rngsubtype:o rngmultitypid:o rngcollation:o rngsubopc:o rngcanonical rngsubdiff
pg_catalog.pg_rewrite 2618 r oid:o rulename ev_class:o ev_type ev_enabled is_instead:b ev_qual ev_action
pg_catalog.pg_roles 12000 v rolname rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolconnlimit:i rolpassword rolvaliduntil:t rolbypassrls:b rolconfig:[] oid:o
pg_catalog.pg_rules 12023 v schemaname tablename rulename definition
pg_catalog.pg_seclabel 3596 r objoid:o classoid:o objsubid:i provider label
pg_catalog.pg_seclabels 12099 v objoid:o classoid:o objsubid:i objtype objnamespace:o objname provider label
pg_catalog.pg_sequence 2224 r seqrelid:o seqtypid:o seqstart:l seqincrement:l seqmax:l seqmin:l seqcache:l seqcycle:b
pg_catalog.pg_sequences 12048 v schemaname sequencename sequenceowner data_type:o start_value:l min_value:l max_value:l increment_by:l cycle:b cache_size:l last_value:l
pg_catalog.pg_settings 12104 v name setting unit category short_desc extra_desc context vartype source min_val max_val enumvals:[] boot_val reset_val sourcefile sourceline:i pending_restart:b
pg_catalog.pg_shadow 12005 v usename usesysid:o usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd valuntil:t useconfig:[]
pg_catalog.pg_shdepend 1214 r dbid:o classid:o objid:o objsubid:i refclassid:o refobjid:o deptype
pg_catalog.pg_shdescription 2396 r objoid:o classoid:o description
pg_catalog.pg_shseclabel 3592 r objoid:o classoid:o provider label
pg_catalog.pg_stat_activity 12222 v datid:o datname pid:i leader_pid:i usesysid:o usename application_name client_addr client_hostname client_port:i backend_start:t xact_start:t query_start:t state_change:t wait_event_type wait_event state backend_xid:o backend_xmin:o query_id:l query backend_type
pg_catalog.pg_stat_all_tables 12142 v relid:o schemaname relname seq_scan:l seq_tup_read:l idx_scan:l idx_tup_fetch:l n_tup_ins:l n_tup_upd:l n_tup_del:l n_tup_hot_upd:l n_live_tup:l n_dead_tup:l n_mod_since_analyze:l n_ins_since_vacuum:l last_vacuum:t last_autovacuum:t last_analyze:t last_autoanalyze:t vacuum_count:l autovacuum_count:l analyze_count:l autoanalyze_count:l
pg_catalog.pg_stat_database 12266 v datid:o datname numbackends:i xact_commit:l xact_rollback:l blks_read:l blks_hit:l tup_returned:l tup_fetched:l tup_inserted:l tup_updated:l tup_deleted:l conflicts:l temp_files:l temp_bytes:l deadlocks:l checksum_failures:l checksum_last_failure:t blk_read_time:d blk_write_time:d session_time:d active_time:d idle_in_transaction_time:d sessions:l sessions_abandoned:l sessions_fatal:l sessions_killed:l stats_reset:t
pg_catalog.pg_stat_gssapi 12253 v pid:i gss_authenticated:b principal encrypted:b
pg_catalog.pg_stat_ssl 12249 v pid:i ssl:b version cipher bits:i client_dn client_serial:d issuer_dn
pg_catalog.pg_stat_user_indexes 12192 v relid:o indexrelid:o schemaname relname indexrelname idx_scan:l idx_tup_read:l idx_tup_fetch:l
pg_catalog.pg_stat_user_tables 12161 v relid:o schemaname relname seq_scan:l seq_tup_read:l idx_scan:l idx_tup_fetch:l n_tup_ins:l n_tup_upd:l n_tup_del:l n_tup_hot_upd:l n_live_tup:l n_dead_tup:l n_mod_since_analyze:l n_ins_since_vacuum:l last_vacuum:t last_autovacuum:t last_analyze:t last_autoanalyze:t vacuum_count:l autovacuum_count:l analyze_count:l autoanalyze_count:l
pg_catalog.pg_statio_user_tables 12179 v relid:o schemaname relname heap_blks_read:l heap_blks_hit:l idx_blks_read:l idx_blks_hit:l toast_blks_read:l toast_blks_hit:l tidx_blks_read:l tidx_blks_hit:l
pg_catalog.pg_statistic_ext 3381 r oid:o stxrelid:o stxname stxnamespace:o stxowner:o stxstattarget:i stxkeys:s[] stxkind:[] stxexprs
pg_catalog.pg_stats 12053 v schemaname tablename attname inherited:b null_frac:f avg_width:i n_distinct:f most_common_vals most_common_freqs:f[] histogram_bounds correlation:f most_common_elems most_common_elem_freqs:f[] elem_count_histogram:f[]
pg_catalog.pg_subscription 6100 r oid:o subdbid:o subskiplsn subname subowner:o subenabled:b subbinary:b substream:b subtwophasestate subdisableonerr:b subconninfo subslotname subsynccommit subpublications:[]
pg_catalog.pg_tables 12033 v schemaname tablename tableowner tablespace hasindexes:b hasrules:b hastriggers:b rowsecurity:b
pg_catalog.pg_tablespace 1213 r oid:o spcname spcowner:o spcacl:[] spcoptions:[]
pg_catalog.pg_timezone_names 12126 v name abbrev utc_offset is_dst:b
pg_catalog.pg_trigger 2620 r oid:o tgrelid:o tgparentid:o tgname tgfoid:o tgtype:s tgenabled tgisinternal:b tgconstrrelid:o tgconstrindid:o tgconstraint:o tgdeferrable:b tginitdeferred:b tgnargs:s tgattr:s[] tgargs tgqual tgoldtable tgnewtable
pg_catalog.pg_ts_config 3602 r oid:o cfgname cfgnamespace:o cfgowner:o cfgparser:o
pg_catalog.pg_ts_dict 3600 r oid:o dictname dictnamespace:o dictowner:o dicttemplate:o dictinitoption
pg_catalog.pg_type 1247 r oid:o typname typnamespace:o typowner:o typlen:s typbyval:b typtype typcategory typispreferred:b typisdefined:b typdelim typrelid:o typsubscript typelem:o typarray:o typinput typoutput typreceive typsend typmodin typmodout typanalyze typalign typstorage typnotnull:b typbasetype:o typtypmod:i typndims:i typcollation:o typdefaultbin typdefault typacl:[]
pg_catalog.pg_user 12014 v usename usesysid:o usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd valuntil:t useconfig:[]
pg_catalog.pg_user_mapping 1418 r oid:o umuser:o umserver:o umoptions:[]
pg_catalog.pg_user_mappings 12327 v umid:o srvid:o srvname umuser:o usename umoptions:[]
pg_catalog.pg_views 12028 v schemaname viewname viewowner definition
information_schema.administrable_role_authorizations 13241 v grantee role_name is_grantable
information_schema.applicable_roles 13236 v grantee role_name is_grantable
information_schema.character_sets 13250 v character_set_catalog character_set_schema character_set_name character_repertoire form_of_use default_collate_catalog default_collate_schema default_collate_name
information_schema.check_constraints 13260 v constraint_catalog constraint_schema constraint_name check_clause
information_schema.collations 13265 v collation_catalog collation_schema collation_name pad_attribute
information_schema.column_privileges 13285 v grantor grantee table_catalog table_schema table_name column_name privilege_type is_grantable
information_schema.columns 13295 v table_catalog table_schema table_name column_name ordinal_position:i column_default is_nullable data_type character_maximum_length:i character_octet_length:i numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type interval_precision:i character_set_catalog character_set_schema character_set_name collation_catalog collation_schema collation_name domain_catalog domain_schema domain_name udt_catalog udt_schema udt_name scope_catalog scope_schema scope_name maximum_cardinality:i dtd_identifier is_self_referencing is_identity identity_generation identity_start identity_increment identity_maximum identity_minimum identity_cycle is_generated generation_expression is_updatable
information_schema.constraint_column_usage 13300 v table_catalog table_schema table_name column_name constraint_catalog constraint_schema constraint_name
information_schema.domains 13320 v domain_catalog domain_schema domain_name data_type character_maximum_length:i character_octet_length:i character_set_catalog character_set_schema character_set_name collation_catalog collation_schema collation_name numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type interval_precision:i domain_default udt_catalog udt_schema udt_name scope_catalog scope_schema scope_name maximum_cardinality:i dtd_identifier
information_schema.element_types 13493 v object_catalog object_schema object_name object_type collection_type_identifier data_type character_maximum_length:i character_octet_length:i character_set_catalog character_set_schema character_set_name collation_catalog collation_schema collation_name numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type interval_precision:i domain_default udt_catalog udt_schema udt_name scope_catalog scope_schema scope_name maximum_cardinality:i dtd_identifier
information_schema.enabled_roles 13325 v role_name
information_schema.foreign_tables 13541 v foreign_table_catalog foreign_table_schema foreign_table_name foreign_server_catalog foreign_server_name
information_schema.information_schema_catalog_name 13227 v catalog_name
information_schema.key_column_usage 13329 v constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name column_name ordinal_position:i position_in_unique_constraint:i
information_schema.parameters 13334 v specific_catalog specific_schema specific_name ordinal_position:i parameter_mode is_result as_locator parameter_name data_type character_maximum_length:i character_octet_length:i character_set_catalog character_set_schema character_set_name collation_catalog collation_schema collation_name numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type interval_precision:i udt_catalog udt_schema udt_name scope_catalog scope_schema scope_name maximum_cardinality:i dtd_identifier parameter_default
information_schema.referential_constraints 13339 v constraint_catalog constraint_schema constraint_name unique_constraint_catalog unique_constraint_schema unique_constraint_name match_option update_rule delete_rule
information_schema.role_column_grants 13344 v grantor grantee table_catalog table_schema table_name column_name privilege_type is_grantable
information_schema.role_routine_grants 13358 v grantor grantee specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name privilege_type is_grantable
information_schema.role_table_grants 13421 v grantor grantee table_catalog table_schema table_name privilege_type is_grantable with_hierarchy
information_schema.role_usage_grants 13459 v grantor grantee object_catalog object_schema object_name object_type privilege_type is_grantable
information_schema.routine_privileges 13353 v grantor grantee specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name privilege_type is_grantable
information_schema.routines 13377 v specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name routine_type module_catalog module_schema module_name udt_catalog udt_schema udt_name data_type character_maximum_length:i character_octet_length:i character_set_catalog character_set_schema character_set_name collation_catalog collation_schema collation_name numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type interval_precision:i type_udt_catalog type_udt_schema type_udt_name scope_catalog scope_schema scope_name maximum_cardinality:i dtd_identifier routine_body routine_definition external_name external_language parameter_style is_deterministic sql_data_access is_null_call sql_path schema_level_routine max_dynamic_result_sets:i is_user_defined_cast is_implicitly_invocable security_type to_sql_specific_catalog to_sql_specific_schema to_sql_specific_name as_locator created:t last_altered:t new_savepoint_level is_udt_dependent result_cast_from_data_type result_cast_as_locator result_cast_char_max_length:i result_cast_char_octet_length:i result_cast_char_set_catalog result_cast_char_set_schema result_cast_char_set_name result_cast_collation_catalog result_cast_collation_schema result_cast_collation_name result_cast_numeric_precision:i result_cast_numeric_precision_radix:i result_cast_numeric_scale:i result_cast_datetime_precision:i result_cast_interval_type result_cast_interval_precision:i result_cast_type_udt_catalog result_cast_type_udt_schema result_cast_type_udt_name result_cast_scope_catalog result_cast_scope_schema result_cast_scope_name result_cast_maximum_cardinality:i result_cast_dtd_identifier
information_schema.schemata 13382 v catalog_name schema_name schema_owner default_character_set_catalog default_character_set_schema default_character_set_name sql_path
information_schema.sequences 13386 v sequence_catalog sequence_schema sequence_name data_type numeric_precision:i numeric_precision_radix:i numeric_scale:i start_value minimum_value maximum_value increment cycle_option
information_schema.table_constraints 13411 v constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name constraint_type is_deferrable initially_deferred enforced nulls_distinct
information_schema.table_privileges 13416 v grantor grantee table_catalog table_schema table_name privilege_type is_grantable with_hierarchy
information_schema.tables 13425 v table_catalog table_schema table_name table_type self_referencing_column_name reference_generation user_defined_type_catalog user_defined_type_schema user_defined_type_name is_insertable_into is_typed commit_action
information_schema.triggers 13440 v trigger_catalog trigger_schema trigger_name event_manipulation event_object_catalog event_object_schema event_object_table action_order:i action_condition action_statement action_orientation action_timing action_reference_old_table action_reference_new_table action_reference_old_row action_reference_new_row created:t
information_schema.user_defined_types 13463 v user_defined_type_catalog user_defined_type_schema user_defined_type_name user_defined_type_category is_instantiable is_final ordering_form ordering_category ordering_routine_catalog ordering_routine_schema ordering_routine_name reference_type data_type character_maximum_length:i character_octet_length:i character_set_catalog character_set_schema character_set_name collation_catalog collation_schema collation_name numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type interval_precision:i source_dtd_identifier ref_dtd_identifier
information_schema.views 13483 v table_catalog table_schema table_name view_definition check_option is_updatable is_insertable_into is_trigger_updatable is_trigger_deletable is_trigger_insertable_into
`

export interface CatalogueRelation {
  schema: 'pg_catalog' | 'information_schema'
  name: string
  oid: number
  /** `r` or `v` */
  kind: string
  columns: { name: string; code: ColumnCode }[]
}

export const CATALOGUE_RELATIONS: readonly CatalogueRelation[] = TEXT.trim()
  .split('\n')
  .map((line) => {
    const [qualified = '', oid, kind = 'r', ...columns] = line.split(' ')
    const [schema, name = ''] = qualified.split('.')
    return {
      schema: schema === 'pg_catalog' ? schema : 'information_schema',
      name,
      oid: Number(oid),
      kind,
      columns: columns.map((column) => {
        const [columnName = '', code = ''] = column.split(':')
        return { name: columnName, code: code as ColumnCode }
      }),
    }
  })
