/** What completion knows of a command; the build writes them to `dist/completion.json`. */
export interface CompletionEntry {
  summary: string
  flags: { name: string; char?: string; takesValue: boolean; options?: string[]; description: string }[]
  args: { name: string; options?: string[] }[]
}

export type CompletionTable = Record<string, CompletionEntry>

export interface Candidate {
  value: string
  description: string
}

/** What could be typed for the last of `words` (maybe empty); names of kinds are asked from `namesOf`. */
export function complete(words: readonly string[], commands: CompletionTable, namesOf: (kind: string) => Candidate[]): Candidate[] {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const { id, depth } = descend(before, commands)
  const entry = commands[id]
  /** What a command means by a word of its own, `tw:drain:target`, goes before what the word means everywhere. */
  const ofKind = (own: string, kind: string): Candidate[] => {
    const names = namesOf(own)
    return names.length > 0 ? names : namesOf(kind)
  }
  const candidates = [
    ...(current.startsWith('-') ? [] : children(id, depth === before.length, commands)),
    ...(entry ? ofCommand(entry, before.slice(depth), current, (kind) => ofKind(`${id}:${kind}`, kind)) : []),
  ]
  return candidates.filter(({ value }) => value.startsWith(current)).sort((a, b) => (a.value < b.value ? -1 : 1))
}

/** The longest id that the leading words spell. */
function descend(words: readonly string[], commands: CompletionTable): { id: string; depth: number } {
  let id = ''
  let depth = 0
  for (const word of words) {
    const next = id === '' ? word : `${id}:${word}`
    if (!Object.keys(commands).some((known) => known === next || known.startsWith(`${next}:`))) break
    id = next
    depth += 1
  }
  return { id, depth }
}

function children(id: string, isWhole: boolean, commands: CompletionTable): Candidate[] {
  if (!isWhole) return []
  const prefix = id === '' ? '' : `${id}:`
  const found = new Map<string, string>()
  for (const [known, { summary }] of Object.entries(commands)) {
    if (!known.startsWith(prefix)) continue
    const [word = '', ...rest] = known.slice(prefix.length).split(':')
    if (word !== '' && (!found.has(word) || rest.length === 0)) found.set(word, rest.length === 0 ? summary : '')
  }
  return [...found].map(([value, description]) => ({ value, description }))
}

function ofCommand(entry: CompletionEntry, words: readonly string[], current: string, namesOf: (kind: string) => Candidate[]): Candidate[] {
  const flagOf = (word: string | undefined): CompletionEntry['flags'][number] | undefined =>
    entry.flags.find((flag) => word === `--${flag.name}` || (flag.char !== undefined && word === `-${flag.char}`))
  const values = (name: string, options?: string[]): Candidate[] => options?.map((value) => ({ value, description: '' })) ?? namesOf(name)
  const pending = flagOf(words.at(-1))
  if (pending?.takesValue) return values(pending.name, pending.options)
  const assigned = /^--([\w-]+)=/.exec(current)
  if (assigned) {
    const flag = flagOf(`--${assigned[1]}`)
    return flag ? values(flag.name, flag.options).map(({ value, description }) => ({ value: `${assigned[0]}${value}`, description })) : []
  }
  if (current.startsWith('-')) return entry.flags.map((flag) => ({ value: `--${flag.name}`, description: flag.description }))
  const given = words.filter((word, i) => !word.startsWith('-') && !flagOf(words[i - 1])?.takesValue)
  const arg = entry.args[given.length]
  return arg ? values(arg.name, arg.options) : []
}

/** More names than a person reads, and few enough for the time that a shell waits. */
export const NAMES_MAX = 1000

/** Of a task whose group is typed already, `web/api[`: its group's alone, which large fleets have an index for. */
export const GROUP_TASKS_SQL =
  "SELECT task AS value, node || ' ' || state AS description FROM tw_task WHERE job = ? AND grp = ? AND is_terminal = 0"

const DRAINABLE = `SELECT name AS value, region || ' ' || state AS description FROM tw_node
  UNION ALL SELECT DISTINCT 'rack:' || rack, region FROM tw_node UNION ALL SELECT DISTINCT 'zone:' || zone, region FROM tw_node
  UNION ALL SELECT DISTINCT 'region:' || region, NULL FROM tw_node`
const TOKENS = 'SELECT DISTINCT name AS value, role AS description FROM delos_api_token WHERE ended_at IS NULL'
const HOST_PROFILES = "SELECT name AS value, 'v' || max(version) AS description FROM tw_profile GROUP BY name"
const EXPLAINABLE = `SELECT name AS value, state AS description FROM tw_job
  UNION ALL SELECT DISTINCT job || '/' || grp, NULL FROM tw_tally`

const SCUBA_SERVICES = 'SELECT service AS value, NULL AS description FROM scuba_slo'
const SCUBA_RULES = 'SELECT name AS value, NULL AS description FROM scuba_alert'
const SCUBA_COLUMNS = 'SELECT name AS value, group_concat(DISTINCT type) AS description FROM scuba_column GROUP BY name'
const SCUBA_CALCS = `SELECT DISTINCT kind || name AS value, NULL AS description FROM scuba_column, (SELECT 'p99:' AS kind UNION SELECT 'avg:' UNION SELECT 'sum:' UNION SELECT 'max:')
  WHERE type IN ('BIGINT', 'DOUBLE')`
const ofEach = (keys: readonly string[], sql: string): Record<string, string> => Object.fromEntries(keys.map((key) => [key, sql]))

/** Arguments by which a task is meant, among others. */
export const TASK_KINDS: ReadonlySet<string> = new Set(['task', 'tw:explain:target', 'tw:logs:target'])

/** SQL that lists the names of a kind: the key of an argument or flag, alone or behind its command → `value, description`. */
export const NAMES_SQL: Record<string, string> = {
  job: 'SELECT name AS value, state AS description FROM tw_job',
  task: "SELECT task AS value, node || ' ' || state AS description FROM tw_task WHERE is_terminal = 0",
  node: "SELECT name AS value, region || ' ' || state AS description FROM tw_node",
  region: 'SELECT DISTINCT region AS value, NULL AS description FROM tw_node',
  'tw:drain:target': DRAINABLE,
  'tw:undrain:target': DRAINABLE,
  'tw:explain:target': EXPLAINABLE,
  'tw:logs:target': EXPLAINABLE,
  rack: "SELECT DISTINCT zone || '/' || rack AS value, region AS description FROM tw_node",
  entitlement: "SELECT name AS value, 'buffer ' || buffer AS description FROM tw_entitlement",
  'tw:profile:show:profile': HOST_PROFILES,
  'tw:profile:apply:profile': HOST_PROFILES,
  'tw:profile:apply:to': DRAINABLE,
  op: "SELECT id AS value, name || ' ' || text AS description FROM tw_op WHERE ended_at IS NULL ORDER BY id LIMIT 200",
  maintenance:
    "SELECT id AS value, kind || ' ' || target AS description FROM tw_maintenance WHERE state = 'scheduled' ORDER BY id LIMIT 200",
  service: 'SELECT name AS value, job AS description FROM tw_mesh_service',
  rollout: "SELECT id AS value, service || ' ' || state AS description FROM deploy_rollout ORDER BY id DESC LIMIT 50",
  incident: 'SELECT number AS value, title AS description FROM sev_incident ORDER BY number DESC LIMIT 50',
  run: 'SELECT id AS value, state AS description FROM chaos_run ORDER BY id DESC LIMIT 50',
  config: 'SELECT name AS value, service AS description FROM delos_config',
  kind: 'SELECT DISTINCT kind AS value, NULL AS description FROM delos_meta',
  'scuba:saved:show:name': 'SELECT name AS value, NULL AS description FROM scuba_saved',
  'scuba:saved:rm:name': 'SELECT name AS value, NULL AS description FROM scuba_saved',
  'scuba:board:show:name': 'SELECT name AS value, NULL AS description FROM scuba_board',
  'scuba:board:rm:name': 'SELECT name AS value, NULL AS description FROM scuba_board',
  rule: SCUBA_RULES,
  ...ofEach(
    ['show', 'rm', 'pause', 'history'].map((command) => `scuba:alert:${command}:name`),
    SCUBA_RULES,
  ),
  ...ofEach(
    ['show', 'rm', 'exclude', 'list'].map((command) => `scuba:slo:${command}:service`),
    SCUBA_SERVICES,
  ),
  ...ofEach(['scuba:panel:by', 'scuba:saved:put:by', 'scuba:tail:columns', 'scuba:open:by', 'scuba:explore:by'], SCUBA_COLUMNS),
  ...ofEach(['scuba:panel:calc', 'scuba:saved:put:calc', 'scuba:open:calc', 'scuba:explore:calc'], SCUBA_CALCS),
  table: "SELECT name AS value, CASE version WHEN 0 THEN NULL ELSE 'declared, v' || version END AS description FROM scuba_table",
  'scuba:hold:put:sev': 'SELECT number AS value, title AS description FROM sev_incident ORDER BY number DESC LIMIT 50',
  hold: 'SELECT id AS value, reason AS description FROM scuba_hold',
  'scuba:quota:put:token': TOKENS,
  'scuba:quota:rm:token': "SELECT name AS value, NULL AS description FROM scuba_quota WHERE kind = 'token'",
  'scuba:quota:rm:table': "SELECT name AS value, NULL AS description FROM scuba_quota WHERE kind = 'table'",
  'scuba:derive:rm:name': 'SELECT DISTINCT name AS value, tbl AS description FROM scuba_derived',
}
