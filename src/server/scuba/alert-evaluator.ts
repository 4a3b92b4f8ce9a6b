import type { Evaluation, EvaluatedGroup } from '../../core/scuba/alert/judge.ts'
import { lookBackMs } from '../../core/scuba/alert/judge.ts'
import { compileRule, type CompiledRule } from '../../core/scuba/alert/rule.ts'
import { ALERTS } from '../../core/scuba/controller.ts'
import { alerts, isAlertActive, type StoredAlert } from '../../core/scuba/queries.ts'
import type { PanelAnswer } from '../../core/scuba/wire-types.ts'
import type { ServerHost } from '../host.ts'
import type { ScubaClient } from './client.ts'

const LOOK_MS = 250
const DEADLINE_MS = 10_000

/** Asks the leaf for each rule's buckets every `every` and hands them to the controller as soft state. */
export function createAlertEvaluator(
  host: ServerHost,
  client: Pick<ScubaClient, 'panel'>,
): { evaluations: Map<string, Evaluation>; start: () => void; stop: () => void } {
  const evaluations = new Map<string, Evaluation>()
  const dueAt = new Map<string, number>()
  const running = new Set<string>()
  let timer: NodeJS.Timeout | null = null
  let sinceMs = 0

  const evaluate = async (stored: StoredAlert): Promise<void> => {
    const { rule, version } = stored
    const compiled = compileRule(rule)
    const before = evaluations.get(rule.name)
    const now = host.now()
    const untilMs = Math.floor((now - compiled.delayMs) / compiled.everyMs) * compiled.everyMs
    const lastSeen = new Map(before?.version === version ? before.lastSeen : [])
    let groups: EvaluatedGroup[] = []
    let failure: string | null = null
    try {
      const answer = await client.panel(
        {
          table: rule.table,
          // The first ranks the groups; the count says how many events a bucket stands on.
          calc: ['count', rule.calc],
          by: rule.by,
          where: rule.where,
          stepMs: compiled.everyMs,
          sinceMs: untilMs - lookBackMs(compiled),
          untilMs,
          top: rule.max_groups,
          deadlineMs: DEADLINE_MS,
        },
        undefined,
        { user: 'alerts', isUrgent: true },
      )
      groups = groupsOf(answer, compiled)
      for (const { group, buckets } of groups) if (buckets.length > 0) lastSeen.set(group, now)
      if (answer.coverage.rows < 1) failure = `only ${(answer.coverage.rows * 100).toFixed(1)} % of the rows could be read`
    } catch (error) {
      // A table appears with its first row: until then it has no data.
      if ((error as { code?: string }).code !== 'SCUBA_TABLE_UNKNOWN') failure = (error as Error).message
    }
    const failures = failure === null ? 0 : (before?.failures ?? 0) + 1
    evaluations.set(rule.name, { version, atMs: now, untilMs, failure, failures, groups, lastSeen, sinceMs })
    host.telemetry('muster_metrics', { name: 'scuba.alert.evaluation', rule: rule.name, value: host.now() - now, ok: failure === null })
    host.wake(ALERTS)
  }

  const look = (): void => {
    const now = host.now()
    const names = new Set<string>()
    for (const stored of alerts(host.db)) {
      const { name } = stored.rule
      names.add(name)
      const isChanged = evaluations.get(name)?.version !== stored.version
      if (running.has(name) || !isAlertActive(stored, now) || (!isChanged && (dueAt.get(name) ?? 0) > now)) continue
      const { everyMs, delayMs } = compileRule(stored.rule)
      // Just after a bucket is complete.
      dueAt.set(name, Math.floor((now - delayMs) / everyMs + 1) * everyMs + delayMs)
      running.add(name)
      void evaluate(stored).finally(() => running.delete(name))
    }
    for (const name of evaluations.keys()) if (!names.has(name)) evaluations.delete(name)
  }

  return {
    evaluations,
    start: () => {
      sinceMs = host.now()
      timer = setInterval(() => {
        try {
          look()
        } catch (error) {
          host.log.error('alert rules could not be looked at', { error: String(error) })
        }
      }, LOOK_MS)
    },
    stop: () => {
      if (timer) clearInterval(timer)
    },
  }
}

function groupsOf(answer: PanelAnswer, { rule }: CompiledRule): EvaluatedGroup[] {
  return answer.groups.map(({ key, series }) => {
    const service = Object.entries(key).find(([name]) => name.toLowerCase() === 'service')?.[1]
    return {
      group:
        rule.by.length === 0
          ? ''
          : Object.entries(key)
              .map(([name, value]) => `${name}=${value === null ? '' : String(value)}`)
              .join(','),
      service: typeof service === 'string' ? service : null,
      buckets: series.map(([startMs, events, value]) => ({ startMs, value: value ?? null, events: events ?? 0 })),
    }
  })
}
