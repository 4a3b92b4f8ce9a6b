/**
 * Rows of `pg_type`, as PostgreSQL 15 has them: oid, name, length, by value, kind, category, preferred, oids of element and
 * array, alignment, storage, collation, input function. Beside the types that answers have, those that clients ask for when
 * they start.
 */
const TEXT = `
16 bool 1 t b B t 0 1000 c p 0 boolin
17 bytea -1 f b U f 0 1001 i x 0 byteain
18 char 1 t b Z f 0 1002 c p 0 charin
19 name 64 f b S f 18 1003 c p 950 namein
20 int8 8 t b N f 0 1016 d p 0 int8in
21 int2 2 t b N f 0 1005 s p 0 int2in
22 int2vector -1 f b A f 21 1006 i p 0 int2vectorin
23 int4 4 t b N f 0 1007 i p 0 int4in
24 regproc 4 t b N f 0 1008 i p 0 regprocin
25 text -1 f b S t 0 1009 i x 100 textin
26 oid 4 t b N t 0 1028 i p 0 oidin
27 tid 6 f b U f 0 1010 s p 0 tidin
28 xid 4 t b U f 0 1011 i p 0 xidin
29 cid 4 t b U f 0 1012 i p 0 cidin
30 oidvector -1 f b A f 26 1013 i p 0 oidvectorin
114 json -1 f b U f 0 199 i x 0 json_in
142 xml -1 f b U f 0 143 i x 0 xml_in
143 _xml -1 f b A f 142 0 i x 0 array_in
194 pg_node_tree -1 f b Z f 0 0 i x 100 pg_node_tree_in
199 _json -1 f b A f 114 0 i x 0 array_in
600 point 16 f b G f 701 1017 d p 0 point_in
650 cidr -1 f b I f 0 651 i m 0 cidr_in
651 _cidr -1 f b A f 650 0 i x 0 array_in
700 float4 4 t b N f 0 1021 i p 0 float4in
701 float8 8 t b N t 0 1022 d p 0 float8in
705 unknown -2 f p X f 0 0 c p 0 unknownin
790 money 8 t b N f 0 791 d p 0 cash_in
791 _money -1 f b A f 790 0 d x 0 array_in
829 macaddr 6 f b U f 0 1040 i p 0 macaddr_in
869 inet -1 f b I t 0 1041 i m 0 inet_in
1000 _bool -1 f b A f 16 0 i x 0 array_in
1001 _bytea -1 f b A f 17 0 i x 0 array_in
1002 _char -1 f b A f 18 0 i x 0 array_in
1003 _name -1 f b A f 19 0 i x 950 array_in
1005 _int2 -1 f b A f 21 0 i x 0 array_in
1006 _int2vector -1 f b A f 22 0 i x 0 array_in
1007 _int4 -1 f b A f 23 0 i x 0 array_in
1008 _regproc -1 f b A f 24 0 i x 0 array_in
1009 _text -1 f b A f 25 0 i x 100 array_in
1010 _tid -1 f b A f 27 0 i x 0 array_in
1011 _xid -1 f b A f 28 0 i x 0 array_in
1012 _cid -1 f b A f 29 0 i x 0 array_in
1013 _oidvector -1 f b A f 30 0 i x 0 array_in
1014 _bpchar -1 f b A f 1042 0 i x 100 array_in
1015 _varchar -1 f b A f 1043 0 i x 100 array_in
1016 _int8 -1 f b A f 20 0 d x 0 array_in
1017 _point -1 f b A f 600 0 d x 0 array_in
1021 _float4 -1 f b A f 700 0 i x 0 array_in
1022 _float8 -1 f b A f 701 0 d x 0 array_in
1028 _oid -1 f b A f 26 0 i x 0 array_in
1033 aclitem 12 f b U f 0 1034 i p 0 aclitemin
1034 _aclitem -1 f b A f 1033 0 i x 0 array_in
1040 _macaddr -1 f b A f 829 0 i x 0 array_in
1041 _inet -1 f b A f 869 0 i x 0 array_in
1042 bpchar -1 f b S f 0 1014 i x 100 bpcharin
1043 varchar -1 f b S f 0 1015 i x 100 varcharin
1082 date 4 t b D f 0 1182 i p 0 date_in
1083 time 8 t b D f 0 1183 d p 0 time_in
1114 timestamp 8 t b D f 0 1115 d p 0 timestamp_in
1115 _timestamp -1 f b A f 1114 0 d x 0 array_in
1182 _date -1 f b A f 1082 0 i x 0 array_in
1183 _time -1 f b A f 1083 0 d x 0 array_in
1184 timestamptz 8 t b D t 0 1185 d p 0 timestamptz_in
1185 _timestamptz -1 f b A f 1184 0 d x 0 array_in
1186 interval 16 f b T t 0 1187 d p 0 interval_in
1187 _interval -1 f b A f 1186 0 d x 0 array_in
1231 _numeric -1 f b A f 1700 0 i x 0 array_in
1263 _cstring -1 f b A f 2275 0 i x 0 array_in
1266 timetz 12 f b D f 0 1270 d p 0 timetz_in
1270 _timetz -1 f b A f 1266 0 d x 0 array_in
1560 bit -1 f b V f 0 1561 i x 0 bit_in
1561 _bit -1 f b A f 1560 0 i x 0 array_in
1562 varbit -1 f b V t 0 1563 i x 0 varbit_in
1563 _varbit -1 f b A f 1562 0 i x 0 array_in
1700 numeric -1 f b N f 0 1231 i m 0 numeric_in
2205 regclass 4 t b N f 0 2210 i p 0 regclassin
2206 regtype 4 t b N f 0 2211 i p 0 regtypein
2210 _regclass -1 f b A f 2205 0 i x 0 array_in
2211 _regtype -1 f b A f 2206 0 i x 0 array_in
2249 record -1 f p P f 0 2287 d x 0 record_in
2275 cstring -2 f p P f 0 1263 c p 0 cstring_in
2276 any 4 t p P f 0 0 i p 0 any_in
2277 anyarray -1 f p P f 0 0 d x 0 anyarray_in
2278 void 4 t p P f 0 0 i p 0 void_in
2279 trigger 4 t p P f 0 0 i p 0 trigger_in
2283 anyelement 4 t p P f 0 0 i p 0 anyelement_in
2287 _record -1 f p P f 2249 0 d x 0 array_in
2950 uuid 16 f b U f 0 2951 c p 0 uuid_in
2951 _uuid -1 f b A f 2950 0 i x 0 array_in
3802 jsonb -1 f b U f 0 3807 i x 0 jsonb_in
3807 _jsonb -1 f b A f 3802 0 i x 0 array_in
4089 regnamespace 4 t b N f 0 4090 i p 0 regnamespacein
4090 _regnamespace -1 f b A f 4089 0 i x 0 array_in
4096 regrole 4 t b N f 0 4097 i p 0 regrolein
4097 _regrole -1 f b A f 4096 0 i x 0 array_in
`

export const PG_TYPE_ROWS: readonly string[][] = TEXT.trim()
  .split('\n')
  .map((line) => line.split(' '))

/** How SQL spells types whose names in `pg_type` are others. */
const SPELLED: Record<string, string> = {
  bool: 'boolean',
  char: '"char"',
  int8: 'bigint',
  int2: 'smallint',
  int4: 'integer',
  float4: 'real',
  float8: 'double precision',
  bpchar: 'character',
  varchar: 'character varying',
  time: 'time without time zone',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  timetz: 'time with time zone',
  bit: 'bit',
  varbit: 'bit varying',
  any: '"any"',
}

/** Oid and name of each type as `format_type` gives it. */
export const TYPE_NAMES: readonly (readonly [number, string])[] = PG_TYPE_ROWS.map(([oid, name = '']) => {
  const element = name.startsWith('_') ? name.slice(1) : null
  const spelled = (one: string): string => SPELLED[one] ?? one
  return [Number(oid), element === null ? spelled(name) : `${spelled(element)}[]`] as const
})
