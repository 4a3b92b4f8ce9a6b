import type { LiveAnswer } from '../../../core/scuba/live/aggregate.ts'
import { mergeLive } from '../../../core/scuba/live/merge.ts'
import { LIVE_TABLE } from '../../../core/scuba/names.ts'
import type { LiveRequest } from '../../../core/scuba/wire-types.ts'
import { live } from '../leaf/ask.ts'
import type { Store } from '../leaf/store.ts'
import type { Peers } from './peers.ts'

/** A guard asks again soon; it had better not wait for one leaf. */
const DEADLINE_MS = 250

/** The live aggregate over all leaves that have such rows; one that is missing lowers the coverage. */
export async function liveEverywhere(store: Store, peers: Peers, asked: LiveRequest): Promise<LiveAnswer> {
  const own = live(store, asked)
  if (peers.isAlone) return own
  // Who has such rows is known from the last look; nobody waits for the next one.
  void peers.learn()
  const { answers, missing } = await peers.each(
    LIVE_TABLE,
    async ({ at }, signal) => JSON.parse((await peers.calls.post(at, 'live?own=1', asked, signal)).body.toString('utf8')) as LiveAnswer,
    { deadlineMs: DEADLINE_MS },
    { among: peers.holding(LIVE_TABLE) },
  )
  const rows = (leaf: string): number | null => peers.rowsOf(leaf, LIVE_TABLE, asked.fromMs, asked.toMs)
  return mergeLive(
    own,
    answers,
    missing.map((one) => ({ ...one, rows: rows(one.leaf) })),
  )
}
