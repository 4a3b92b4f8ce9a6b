/** Functions of PostgreSQL that the engine has under another name, with the same parameters. */
export const RENAMED: Readonly<Record<string, string>> = {
  every: 'bool_and',
  json_build_object: 'json_object',
  jsonb_build_object: 'json_object',
  json_agg: 'json_group_array',
  jsonb_agg: 'json_group_array',
}

/** The other way round, for the names of columns that have no alias. */
export const PG_NAMES: Readonly<Record<string, string>> = {
  count_star: 'count',
  strftime: 'to_char',
  strptime: 'to_timestamp',
  json_object: 'json_build_object',
  json_group_array: 'json_agg',
}

/** Template patterns of `to_char` (PostgreSQL, "Data Type Formatting Functions") → directives of the engine; the longest goes first. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/^YYYY/i, '%Y'],
  [/^IYYY/i, '%G'],
  [/^YY/i, '%y'],
  [/^FMMonth/, '%B'],
  [/^FMDay/, '%A'],
  [/^Mon/, '%b'],
  [/^Dy/, '%a'],
  [/^MM/i, '%m'],
  [/^DDD/i, '%j'],
  [/^DD/i, '%d'],
  [/^ID/i, '%u'],
  [/^IW/i, '%V'],
  [/^HH24/i, '%H'],
  [/^HH(?:12)?/i, '%I'],
  [/^MI/i, '%M'],
  [/^SS/i, '%S'],
  [/^MS/i, '%g'],
  [/^US/i, '%f'],
  [/^[AP]M/, '%p'],
]

/**
 * A template for a time as the engine's `strftime` and `strptime` take it. `"…"` stands for itself, and so do all signs and those letters that
 * begin no pattern.
 * @returns null where it has a pattern that the engine has not
 */
export function timeFormat(template: string): string | null {
  let format = ''
  for (let rest = template; rest !== '';) {
    const pattern = PATTERNS.find(([start]) => start.test(rest))
    // T and Z stand where ISO 8601 has them; any other letter could be a pattern.
    const itself = /^(?:"([^"]*)"|[^A-Za-z0-9"]+|[TZ](?=[^a-z]|$))/.exec(rest)
    const taken = pattern?.[0].exec(rest)?.[0] ?? itself?.[0]
    if (taken === undefined || (pattern === undefined && /^TZ/i.test(rest))) return null
    format += pattern?.[1] ?? (itself?.[1] ?? taken).replaceAll('%', '%%')
    rest = rest.slice(taken.length)
  }
  return format
}
