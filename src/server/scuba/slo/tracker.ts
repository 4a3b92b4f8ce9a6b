import type { SloSoft } from '../../../core/scuba/slo/controller.ts'
import { SLOS } from '../../../core/scuba/slo/controller.ts'
import { exclusions, slos } from '../../../core/scuba/slo/queries.ts'
import type { ServerHost } from '../../host.ts'
import { schedulingZone } from '../../zones.ts'
import { ServiceTrack } from './service-track.ts'
import type { SliClient } from './sli.ts'

/** Objectives are looked at this often. */
const EVERY_MS = 5000
/** Rows are waited for this long. */
const DELAY_MS = 1000
const LOOK_MS = 250
/** Services whose rows are read at the same time. */
const AT_ONCE = 4

export interface SloTracker extends SloSoft {
  /** by service */
  tracks: ReadonlyMap<string, ServiceTrack>
  start: () => void
  stop: () => void
}

/** Looks at every objective every 5 s and hands what it found to the controller as soft state. */
export function createSloTracker(host: ServerHost, client: SliClient, onLooked: () => void = () => undefined): SloTracker {
  const tracks = new Map<string, ServiceTrack>()
  let timer: NodeJS.Timeout | null = null
  let isLooking = false
  let lookedMs = 0

  const renew = (): void => {
    const stored = slos(host.db)
    for (const slo of stored) {
      if (tracks.get(slo.file.service)?.version !== slo.version) tracks.set(slo.file.service, new ServiceTrack(client, slo))
    }
    for (const service of tracks.keys()) if (!stored.some(({ file }) => file.service === service)) tracks.delete(service)
  }

  const look = async (): Promise<void> => {
    // By the machine's clock, as rows are; the log's time may stand still after a leap back.
    const asOfMs = Math.floor((Date.now() - DELAY_MS) / EVERY_MS) * EVERY_MS
    if (isLooking || asOfMs === lookedMs) return
    isLooking = true
    lookedMs = asOfMs
    try {
      renew()
      const waiting = [...tracks.values()]
      const next = async (): Promise<void> => {
        for (let track = waiting.shift(); track; track = waiting.shift()) {
          const { service } = track.slo.file
          const zone = schedulingZone(track.slo.file.timezone, asOfMs)
          await track.look(asOfMs, host.now(), zone, exclusions(host.db, service, asOfMs - 62 * 86_400_000))
          if (track.failure !== null) host.log.warn('objectives could not be measured', { service, error: track.failure })
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, next))
      if (tracks.size > 0) host.wake(SLOS)
      onLooked()
    } catch (error) {
      host.log.error('objectives could not be looked at', { error: String((error as Error).stack ?? error) })
    } finally {
      isLooking = false
    }
  }

  return {
    tracks,
    evaluation: (service, objective) => tracks.get(service)?.evaluations.get(objective),
    start: () => {
      timer = setInterval(() => void look(), LOOK_MS)
    },
    stop: () => {
      if (timer) clearInterval(timer)
    },
  }
}
