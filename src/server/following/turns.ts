import type { Doors, House } from '../api/doors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Leading } from '../leading.ts'

export interface Turns {
  /** what this server does while it leads; null: it does not */
  current: () => Leading | null
  /** Resolves once it is decided for now: this server leads and answers, or it follows and passes on. */
  settled: () => Promise<void>
  stop: () => Promise<void>
}

export interface TurnsOptions {
  /** that this server leads, and has applied all that was decided before */
  leads: () => boolean
  /** Called back when that may have changed. Gives what ends it. */
  onLead: (listener: () => void) => () => void
  lead: () => Promise<Leading>
  following: House
  doors: Doors
  log: Logger
}

const RETRY_MS = 250

/** Takes the lead when it falls to this server, and gives it up when it goes; one after the other. */
export async function takeTurns({ leads, onLead, lead, following, doors, log }: TurnsOptions): Promise<Turns> {
  let leading: Leading | null = null
  let isStopped = false
  let retry: NodeJS.Timeout | null = null
  let turn: Promise<void> = Promise.resolve()

  const step = async (): Promise<void> => {
    if (isStopped || leads() === (leading !== null)) return
    if (leading !== null) {
      const before = leading
      leading = null
      log.info('another server leads from now on, or none', {})
      await doors.lead(following)
      return before.stop()
    }
    try {
      const next = await lead()
      leading = next
      await doors.lead(next.house)
      next.start()
      log.info('this server leads', {})
    } catch (error) {
      // The lead may be gone again before it was taken.
      log.warn('could not take the lead', { error: String((error as Error).stack ?? error) })
      retry = setTimeout(next, RETRY_MS)
    }
  }
  const next = (): void => {
    turn = turn
      .then(step)
      .catch((error: unknown) => log.error('a change of the lead failed', { error: String((error as Error).stack ?? error) }))
  }

  const unlisten = onLead(next)
  await doors.lead(following)
  next()
  await turn
  return {
    current: () => leading,
    settled: () => turn,
    stop: async () => {
      isStopped = true
      unlisten()
      if (retry !== null) clearTimeout(retry)
      await turn
      await leading?.stop()
    },
  }
}
