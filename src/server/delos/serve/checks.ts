import type { Replica } from '../store/replica.ts'

/** One thing that `/livez` or `/readyz` looks at. */
export interface Check {
  name: string
  /** null: it is as it should be */
  whyNot: () => string | null
}

const LOOP_TICK_MS = 500
const LOOP_STOPPED_MS = 2000
/** A server that is so many positions behind answers from the past. */
const READY_LAG_MAX = 1000

export const failed = ({ reason }: { reason: string | null }): boolean => reason !== null

/** Whether the process does anything at all: what fails here, a restart mends. */
export function livezChecks(): Check[] {
  let tickedAt = performance.now()
  setInterval(() => {
    tickedAt = performance.now()
  }, LOOP_TICK_MS).unref()
  return [
    {
      name: 'event_loop',
      whyNot: () => {
        const silentMs = performance.now() - tickedAt
        return silentMs > LOOP_STOPPED_MS ? `it did not turn for ${Math.round(silentMs)} ms` : null
      },
    },
  ]
}

/** Whether clients should be sent here: what fails here, mends itself or somebody else has to mend. */
export function readyzChecks(replica: Replica): Check[] {
  const { log, store } = replica
  return [
    { name: 'leader', whyNot: () => (log.role().leader === null ? 'no leader' : null) },
    {
      name: 'applied',
      whyNot: () => {
        const behind = log.tail() - 1 - replica.applied
        return behind > READY_LAG_MAX ? `${behind} positions behind` : null
      },
    },
    { name: 'applying', whyNot: () => replica.refusal?.text ?? null },
    { name: 'data_corruption', whyNot: () => (store.alarms(2).length > 0 ? 'alarm CORRUPT' : null) },
  ]
}
