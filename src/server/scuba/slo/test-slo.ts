import type { z } from 'zod'
import { refuse } from '../../../core/kernel/errors.ts'
import type { scubaSloTest } from '../../../core/scuba/operations/slo.ts'
import { compileSlo, type Objective } from '../../../core/scuba/slo/objective.ts'
import { SloReplay } from '../../../core/scuba/slo/replay.ts'
import { BUCKET_MS } from '../../../core/scuba/slo/series.ts'
import { statusOf } from '../../../core/scuba/slo/status.ts'
import { schedulingZone } from '../../zones.ts'
import { readSlis, type SliClient } from './sli.ts'

type Answer = z.output<typeof scubaSloTest.output>

const PIECE_MS = 6 * 3_600_000
const SPAN_MS_MAX = 31 * 86_400_000

/** Judges the objectives of a file on past rows, 10 s by 10 s, in pieces of six hours. */
export async function testSlo(
  client: SliClient,
  { file, sinceMs, untilMs }: z.output<typeof scubaSloTest.input>,
  nowMs: number,
): Promise<Answer> {
  const slo = compileSlo(file)
  const toMs = Math.floor(Math.min(untilMs ?? nowMs, nowMs) / BUCKET_MS) * BUCKET_MS
  // Where there are no rows yet, nothing would be judged for days.
  const { fromMs: oldestMs } = await client.table(file.table)
  const fromMs = Math.ceil(Math.max(sinceMs, oldestMs ?? toMs) / BUCKET_MS) * BUCKET_MS
  if (toMs - fromMs > SPAN_MS_MAX) throw refuse('SCUBA_TOO_LARGE', 'objectives are tried on at most 31 days of rows')
  const zone = schedulingZone(file.timezone, nowMs)
  const replays = slo.objectives.map((objective) => ({ objective, replay: new SloReplay(objective, { window: slo.window, zone }) }))
  for (let pieceMs = fromMs; pieceMs < toMs; pieceMs += PIECE_MS) {
    const endMs = Math.min(pieceMs + PIECE_MS, toMs)
    const counts = await readSlis(client, slo, pieceMs, endMs, BUCKET_MS, false)
    for (let startMs = pieceMs; startMs < endMs; startMs += BUCKET_MS) {
      for (const { objective, replay } of replays) replay.add(startMs, counts.get(objective.hash)?.get(startMs) ?? { good: 0, total: 0 })
    }
  }
  return {
    sinceMs: fromMs,
    untilMs: toMs,
    burns: replays.flatMap(({ objective, replay }) => burnsOf(objective, replay, toMs)),
    objectives: replays.map(({ objective, replay }) =>
      statusOf(objective, {
        window: slo.window,
        state: { ...replay.state, objective: objective.name, sinceMs: null, lastBurnAtMs: null, budgetLeft: 1, reason: '' },
        evaluation: replay.last ?? undefined,
        failure: null,
        latencyMs: null,
        nowMs: toMs,
      }),
    ),
  }
}

function burnsOf({ name }: Objective, { moves }: SloReplay, toMs: number): Answer['burns'] {
  const burns: Answer['burns'] = []
  for (const { kind, tier, sev, atMs } of moves) {
    const last = burns.at(-1)
    if (kind === 'burn_started') burns.push({ objective: name, tier: tier ?? '', sev, fromMs: atMs, toMs })
    else if (kind === 'burn_raised' && last) Object.assign(last, { tier, sev })
    else if (kind === 'burn_ended' && last) last.toMs = atMs
  }
  return burns
}
