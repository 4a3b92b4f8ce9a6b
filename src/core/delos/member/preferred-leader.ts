/** A server as who leads knows it. */
export interface LeaderCandidate {
  id: string
  name: string
  role: string
  leads: boolean
  region: string | null
  isReachable: boolean
  /** batches it is behind, of whichever log it is further behind in */
  lagBatches: number
}

export interface HandOverQuestion {
  /** region of those that shall lead; null: whoever does */
  region: string | null
  servers: readonly LeaderCandidate[]
  /** how long the present leader has led, and how long ago it tried to hand over; Infinity: never */
  ledForMs: number
  triedAgoMs: number
}

/** Whoever leads does so for a minute at least, so that the lead never goes to and fro more often than that. */
export const LEAD_MS_MIN = 60_000
/** Who has more to catch up with does not lead at once. */
const LAG_BATCHES_MAX = 10

/** Whether the wish could be met at all now; what is known softly decides whether to look closer. */
export function isHandOverDue({ region, servers, ledForMs, triedAgoMs }: HandOverQuestion): boolean {
  if (region === null || ledForMs < LEAD_MS_MIN || triedAgoMs < LEAD_MS_MIN) return false
  const leader = servers.find(({ leads }) => leads)
  return leader !== undefined && leader.region !== region && servers.some((server) => server.region === region && server.role === 'voter')
}

/**
 * Whom the leader hands over to; null: it goes on. Never to one that is not reached or is behind, and at most once a minute: the lead
 * where it is not wanted is better than none.
 */
export function handOverTo(question: HandOverQuestion): LeaderCandidate | null {
  if (!isHandOverDue(question)) return null
  const fit = question.servers.filter(
    ({ region, role, isReachable, lagBatches }) =>
      region === question.region && role === 'voter' && isReachable && lagBatches <= LAG_BATCHES_MAX,
  )
  return fit.toSorted((a, b) => a.lagBatches - b.lagBatches || (a.name < b.name ? -1 : 1))[0] ?? null
}
