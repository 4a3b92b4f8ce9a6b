import type { Evaluation } from '../../core/scuba/alert/judge.ts'
import { lookBackMs } from '../../core/scuba/alert/judge.ts'
import { compileRule } from '../../core/scuba/alert/rule.ts'
import { ALERTS } from '../../core/scuba/controller.ts'
import { alerts, isAlertActive, type StoredAlert } from '../../core/scuba/queries.ts'
import type { ServerHost } from '../host.ts'
import { askRule, type RuleAnswer } from './alert-query.ts'
import { LateVerdicts } from './late-verdicts.ts'
import type { ScubaClient } from './client.ts'

const LOOK_MS = 250
/** The machine's clock has leapt when it moved this much more or less than time went by. */
const LEAP_MS = 2000

const NOTHING: RuleAnswer = { groups: [], groupsCut: 0, coverage: 1 }

/**
 * Asks the leaf for each rule's buckets every `every` and hands them to the controller as soft state. Buckets follow the
 * machine's clock, as rows do; when it is due follows time that only goes forward, so that a leap of the clock skips nothing.
 */
export function createAlertEvaluator(
  host: ServerHost,
  client: Pick<ScubaClient, 'panel' | 'query'>,
  onLooked: () => void = () => undefined,
): { evaluations: Map<string, Evaluation>; late: LateVerdicts; start: () => void; stop: () => void } {
  const evaluations = new Map<string, Evaluation>()
  /** by {@link performance.now} */
  const dueAt = new Map<string, number>()
  const running = new Set<string>()
  let timer: NodeJS.Timeout | null = null
  let sinceMs = 0
  let clock = { wallMs: Date.now(), elapsedMs: performance.now() }
  let leaptAt = -Infinity
  const late = new LateVerdicts()
  /** one rule after the other: they are in no hurry */
  let isLookingBack = false

  const evaluate = async (stored: StoredAlert): Promise<void> => {
    const { rule, version, states } = stored
    const compiled = compileRule(rule)
    const before = evaluations.get(rule.name)
    const startedMs = performance.now()
    const now = host.now()
    const untilMs = Math.floor((Date.now() - compiled.delayMs) / compiled.everyMs) * compiled.everyMs
    const backMs = lookBackMs(
      compiled,
      states.some(({ state }) => state === 'flapping'),
    )
    const lastSeen = new Map(before?.version === version ? before.lastSeen : [])
    let answer = NOTHING
    let failure: string | null = null
    try {
      answer = await askRule(client, compiled, untilMs - backMs, untilMs, { user: 'alerts', isUrgent: true })
      for (const { group, buckets } of answer.groups) if (buckets.length > 0) lastSeen.set(group, now)
      if (answer.coverage < 1) failure = `only ${(answer.coverage * 100).toFixed(1)} % of the rows could be read`
    } catch (error) {
      failure = (error as Error).message
    }
    const failures = failure === null ? 0 : (before?.failures ?? 0) + 1
    const { groups, groupsCut } = answer
    const isSettling = startedMs - leaptAt < backMs + compiled.everyMs + compiled.delayMs
    evaluations.set(rule.name, { version, atMs: now, untilMs, failure, failures, groups, groupsCut, lastSeen, sinceMs, isSettling })
    if (failure === null && !isSettling && groupsCut === 0) late.record(compiled, version, groups, states, untilMs)
    host.telemetry('muster_metrics', {
      name: 'scuba.alert.evaluation',
      rule: rule.name,
      value: performance.now() - startedMs,
      ok: failure === null,
    })
    host.wake(ALERTS)
  }

  /** A question of its own, that no judgement waits for; one that fails is asked again. */
  const lookBack = async ({ rule }: StoredAlert): Promise<void> => {
    const compiled = compileRule(rule)
    if (!late.isDue(compiled) || isLookingBack) return
    isLookingBack = true
    const isNews = await late.look(client, compiled, Date.now()).catch(() => false)
    isLookingBack = false
    if (isNews) host.wake(ALERTS)
  }

  const watchClock = (): void => {
    const next = { wallMs: Date.now(), elapsedMs: performance.now() }
    if (Math.abs(next.wallMs - clock.wallMs - (next.elapsedMs - clock.elapsedMs)) > LEAP_MS) {
      leaptAt = next.elapsedMs
      dueAt.clear()
      host.log.warn('the clock leapt; alert rules believe only what breaches until their windows are full', {
        byMs: Math.round(next.wallMs - clock.wallMs),
      })
    }
    clock = next
  }

  const look = (): void => {
    watchClock()
    const names = new Set<string>()
    for (const stored of alerts(host.db)) {
      const { name } = stored.rule
      names.add(name)
      void lookBack(stored)
      const isChanged = evaluations.get(name)?.version !== stored.version
      if (running.has(name) || !isAlertActive(stored, host.now()) || (!isChanged && (dueAt.get(name) ?? 0) > clock.elapsedMs)) continue
      const { everyMs, delayMs } = compileRule(stored.rule)
      // Just after a bucket is complete.
      dueAt.set(name, clock.elapsedMs + everyMs - ((((clock.wallMs - delayMs) % everyMs) + everyMs) % everyMs))
      running.add(name)
      void evaluate(stored).finally(() => running.delete(name))
    }
    for (const name of evaluations.keys()) if (!names.has(name)) evaluations.delete(name)
    late.keep(names)
    onLooked()
  }

  return {
    evaluations,
    late,
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
