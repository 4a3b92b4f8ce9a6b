import type { z } from 'zod'
import { isAlerting, lookBackMs, type EvaluatedGroup } from '../../core/scuba/alert/judge.ts'
import { AlertReplay } from '../../core/scuba/alert/replay.ts'
import { compileRule } from '../../core/scuba/alert/rule.ts'
import type { scubaAlertTest } from '../../core/scuba/operations/alert.ts'
import { askRule } from './alert-query.ts'
import type { ScubaClient } from './client.ts'

/** Steps of one question, and moves that are answered; what happened most recently is kept. */
const STEPS_MAX = 3000
const MOVES_MAX = 2000

/** Judges a rule on past rows, round by round, from where its table has some. */
export async function testAlert(
  client: Pick<ScubaClient, 'panel' | 'query' | 'table'>,
  { rule, sinceMs }: z.output<typeof scubaAlertTest.input>,
  nowMs: number,
): Promise<z.output<typeof scubaAlertTest.output>> {
  const compiled = compileRule(rule)
  const { everyMs, delayMs } = compiled
  const untilMs = Math.floor((nowMs - delayMs) / everyMs) * everyMs
  const oldestMs = rule.table === undefined ? sinceMs : ((await client.table(rule.table)).fromMs ?? untilMs)
  const fromMs = Math.ceil(Math.max(sinceMs, oldestMs) / everyMs) * everyMs
  const backMs = lookBackMs(compiled, true)
  const replay = new AlertReplay(compiled)
  for (let pieceMs = fromMs; pieceMs < untilMs; pieceMs += STEPS_MAX * everyMs) {
    const endMs = Math.min(pieceMs + STEPS_MAX * everyMs, untilMs)
    const { groups } = await askRule(client, compiled, Math.max(fromMs, pieceMs - backMs), endMs, { user: 'alert test' })
    for (let roundMs = pieceMs + everyMs; roundMs <= endMs; roundMs += everyMs) {
      const visible = groups
        .map((group): EvaluatedGroup => ({ ...group, buckets: between(group.buckets, roundMs - backMs, roundMs) }))
        .filter(({ buckets }) => buckets.length > 0)
      replay.add(roundMs, visible)
    }
  }
  const moves = replay.moves.map(({ atMs, group, from, to, value, reason }) => ({ atMs, rule: rule.name, group, from, to, value, reason }))
  return {
    firings: moves.filter(({ from, to }) => isAlerting(to) && !isAlerting(from)).length,
    moves: moves.slice(-MOVES_MAX),
    sinceMs: fromMs,
    untilMs,
  }
}

/** Those of ascending buckets that start in `[fromMs, toMs)`. */
function between(buckets: EvaluatedGroup['buckets'], fromMs: number, toMs: number): EvaluatedGroup['buckets'] {
  const first = (ms: number): number => {
    let low = 0
    let high = buckets.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((buckets[middle]?.startMs ?? 0) < ms) low = middle + 1
      else high = middle
    }
    return low
  }
  return buckets.slice(first(fromMs), first(toMs))
}
