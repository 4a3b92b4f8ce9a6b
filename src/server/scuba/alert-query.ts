import type { EvaluatedGroup } from '../../core/scuba/alert/judge.ts'
import type { CompiledRule } from '../../core/scuba/alert/rule.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { PanelAnswer, QueryAnswer } from '../../core/scuba/wire-types.ts'
import type { AskerHead, ScubaClient } from './client.ts'

export interface RuleAnswer {
  groups: EvaluatedGroup[]
  /** groups beyond `max_groups` */
  groupsCut: number
  /** share of the rows, 0 to 1 */
  coverage: number
}

const DEADLINE_MS = 10_000

/** A rule's buckets of `[sinceMs, untilMs)`, by panel or by its own SQL. Nothing of a table that is not there yet. */
export async function askRule(
  client: Pick<ScubaClient, 'panel' | 'query'>,
  compiled: CompiledRule,
  sinceMs: number,
  untilMs: number,
  asker: AskerHead,
): Promise<RuleAnswer> {
  const { rule, everyMs } = compiled
  try {
    if (rule.sql !== undefined) {
      const answer = await client.query(rule.sql, { sinceMs, untilMs, deadlineMs: DEADLINE_MS }, undefined, asker)
      const groups = groupsOfRows(answer, everyMs)
      return {
        groups: groups.slice(0, rule.max_groups),
        groupsCut: Math.max(0, groups.length - rule.max_groups),
        coverage: answer.coverage.rows,
      }
    }
    const answer = await client.panel(
      {
        table: rule.table ?? '',
        // The first ranks the groups; the count says how many events a bucket stands on.
        calc: ['count', rule.calc ?? 'count'],
        by: rule.by,
        where: rule.where,
        stepMs: everyMs,
        sinceMs,
        untilMs,
        top: rule.max_groups,
        deadlineMs: DEADLINE_MS,
      },
      undefined,
      asker,
    )
    return {
      groups: groupsOf(answer, rule.by.length > 0),
      groupsCut: Math.max(0, answer.groupCount - rule.max_groups),
      coverage: answer.coverage.rows,
    }
  } catch (error) {
    // A table appears with its first row: until then it has no data.
    if ((error as { code?: string }).code === 'SCUBA_TABLE_UNKNOWN') return { groups: [], groupsCut: 0, coverage: 1 }
    throw error
  }
}

function groupsOf(answer: PanelAnswer, isGrouped: boolean): EvaluatedGroup[] {
  return answer.groups.map(({ key, series }) => ({
    ...named(isGrouped ? Object.entries(key) : []),
    buckets: series.map(([startMs, events, value]) => ({ startMs, value: value ?? null, events: events ?? 0 })),
  }))
}

/** Rows of `time`, `value`, perhaps `events`; every other column is of the group. A bucket's last row counts. */
function groupsOfRows({ columns, rows }: QueryAnswer, everyMs: number): EvaluatedGroup[] {
  const names = columns.map(({ name }) => name.toLowerCase())
  const [time, value, events] = ['time', 'value', 'events'].map((name) => names.indexOf(name))
  if (time === undefined || time < 0 || value === undefined || value < 0) {
    throw refuse('SCUBA_ALERT_INVALID', `the query of a rule gives the columns time and value; this one gives ${names.join(', ')}`)
  }
  const groups = new Map<string, EvaluatedGroup>()
  for (const row of rows) {
    const pairs = names.flatMap((name, index) =>
      index === time || index === value || index === events ? [] : [[name, row[index] ?? null] as const],
    )
    const about = named(pairs)
    let group = groups.get(about.group)
    if (!group) groups.set(about.group, (group = { ...about, buckets: [] }))
    const measured = row[value]
    const startMs = Math.floor(Number(row[time]) / everyMs) * everyMs
    group.buckets = group.buckets.filter((bucket) => bucket.startMs !== startMs)
    const count = events === undefined || events < 0 ? 1 : Number(row[events])
    group.buckets.push({ startMs, value: typeof measured === 'number' ? measured : null, events: count })
  }
  for (const { buckets } of groups.values()) buckets.sort((a, b) => a.startMs - b.startMs)
  return [...groups.values()]
}

function named(pairs: readonly (readonly [string, unknown])[]): { group: string; service: string | null } {
  const service = pairs.find(([name]) => name.toLowerCase() === 'service')?.[1]
  return {
    group: pairs.map(([name, value]) => `${name}=${value === null ? '' : String(value)}`).join(','),
    service: typeof service === 'string' ? service : null,
  }
}
