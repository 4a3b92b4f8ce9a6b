import { answerAppend, answerRead, setLeader } from './answers.ts'
import type { Notice } from './contract.ts'
import type { Replica } from './state.ts'

type Why = Extract<Notice, { kind: 'steppedDown' }>['why']

/** Leads no more: what was proposed has an unknown outcome, what still waited for the window is refused. */
export function stepDown(r: Replica, why: Why): void {
  const { lead } = r
  if (lead === null) return
  r.lead = null
  r.role = 'follower'
  setLeader(r, null)
  r.heardAt = r.now
  const { suspectMs, suspectJitterMs } = r.config.timers
  r.suspectAt = r.now + suspectMs + r.prng.below(suspectJitterMs + 1)
  const refusal = why === 'sealed' ? 'sealed' : 'noLeader'
  for (const { asker } of lead.waiting.values()) answerAppend(r, asker, { kind: 'unknown' })
  for (const { asker } of lead.queue) answerAppend(r, asker, { kind: 'refused', why: refusal })
  for (const { asker } of lead.reads) answerRead(r, asker, { kind: 'refused', why: refusal })
  r.out.notices.push({ kind: 'steppedDown', ballot: lead.ballot, why })
}
