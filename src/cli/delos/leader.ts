import type { ChannelOptions, Channel } from '../../client/channel.ts'
import { openChannel } from '../../client/channel.ts'
import { rangeRequest, only } from '../../core/delos/recipes/etcd/request.ts'
import { METHODS } from '../../core/delos/wire/methods.ts'
import { isRefusal, MusterError } from '../../core/kernel/errors.ts'
import type { LeaderMove } from '../render/delos-store.ts'
import { lookAtStore } from './look.ts'
import type { ServerView, StoreView } from './store-view.ts'

export interface LeaderView {
  leader: string | null
  id: string | null
  endpoint: string | null
  term: number
  /** the last change that a server saw; null: none since they started, or an etcd, which does not tell */
  lastChange: StoreView['logs'][number]['lastChange']
}

export function leaderOf({ servers, logs }: StoreView): LeaderView {
  const found = servers.find(({ role }) => role === 'leader') ?? null
  const [log] = logs
  return {
    leader: found?.name ?? null,
    id: found?.id ?? null,
    endpoint: found?.endpoint ?? null,
    term: log?.term ?? 0,
    lastChange: log?.lastChange ?? null,
  }
}

/** Who would be moved where. Rejects with NOT_FOUND for a server that is not there, with DELOS_NO_QUORUM when nobody leads. */
export async function moveOf(options: ChannelOptions, to: string): Promise<{ from: ServerView; to: ServerView }> {
  const store = await lookAtStore(options)
  const target = store.servers.find(({ name, id }) => name === to || id === to)
  if (target === undefined)
    throw new MusterError('NOT_FOUND', `there is no server ${to}; there are ${store.servers.map(({ name }) => name).join(', ')}`)
  if (!target.isReachable) throw new MusterError('UNAVAILABLE', `${to} is not reached: ${target.why ?? ''}`)
  if (target.role === 'learner') throw new MusterError('DELOS_REFUSED', `${to} is a learner: it has no vote, so it cannot lead`)
  const from = store.servers.find(({ role }) => role === 'leader')
  if (from === undefined) throw new MusterError('DELOS_NO_QUORUM', 'nobody leads at the moment, so there is nobody to ask')
  return { from, to: target }
}

const SETTLED_MS = 10_000
const PAUSE_MS = 2
/** Reads before the move, so that the gap is one in a running row. */
const LEAD_IN = 5
/** Absent, in all likelihood; what is read does not matter. */
const PROBE = '\0muster/probe'

/**
 * Has the leader hand over, and reads all the while: the gap is the longest time between two answered linearizable reads. Rejects with
 * the leader's refusal, or with UNAVAILABLE when the other does not lead within 10 s.
 */
export async function moveLeader(options: ChannelOptions, { from, to }: { from: ServerView; to: ServerView }): Promise<LeaderMove> {
  const open = (endpoint: string): Channel => openChannel({ ...options, endpoints: [endpoint], patienceMs: 0, answerMs: SETTLED_MS })
  const [leader, target] = [open(from.endpoint), open(to.endpoint)]
  const effect = { effect: 'read' } as const
  let lastAt = performance.now()
  let gapMs = 0
  const read = async (): Promise<void> => {
    try {
      await target.call(METHODS['KV/Range'], rangeRequest(only(PROBE), { count_only: true }), effect)
    } catch (error) {
      // Refused by a leader is answered; unanswered is what is measured.
      if (!isRefusal(error) || error.code === 'DELOS_NO_QUORUM' || error.code === 'UNAVAILABLE') return
    }
    const now = performance.now()
    gapMs = Math.max(gapMs, now - lastAt)
    lastAt = now
  }
  try {
    for (let i = 0; i < LEAD_IN; i += 1) await read()
    gapMs = 0
    const startedAt = performance.now()
    const asked = leader.call(METHODS['Maintenance/MoveLeader'], { targetID: BigInt(`0x${to.id}`) }, { effect: 'once' }).then(
      () => null,
      (error: unknown) => error,
    )
    let refused: unknown = null
    void asked.then((error) => (refused = error))
    for (;;) {
      await read()
      if (refused !== null) throw refused
      const { leader: leads, raftTerm } = await target.call(METHODS['Maintenance/Status'], {}, effect)
      // One that led before may say so still, of its old term.
      if (leads.toString(16) === to.id && raftTerm > from.term) {
        await read()
        return { from: from.name, to: to.name, term: raftTerm, gapMs: Math.round(gapMs) }
      }
      if (performance.now() - startedAt > SETTLED_MS)
        throw new MusterError('UNAVAILABLE', `${to.name} does not lead yet after ${SETTLED_MS / 1000} s`)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  } finally {
    leader.close()
    target.close()
  }
}
