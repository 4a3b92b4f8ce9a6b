import { handOverTo, isHandOverDue, type HandOverQuestion, type LeaderCandidate } from '../../../core/delos/member/preferred-leader.ts'
import { presentServers } from '../../../core/delos/virtual-log/value.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { ServerState } from '../serve/members.ts'
import type { FleetCallsOptions } from './fleet-calls.ts'

const LOOK_MS = 1000

/**
 * Hands the lead over to a server of the region that shall have it, when one is there and has caught up. To be started by a server that
 * takes the lead, and ended when it gives it up.
 * @param region what is wished now; null: nothing
 */
export function preferLeader(
  { control, kv, members, self }: FleetCallsOptions,
  region: () => string | null,
  log: Logger,
): { stop: () => void } {
  const ledSinceMs = performance.now()
  let triedMs = -Infinity
  let isLooking = false
  let isOver = false

  const question = (health: ReadonlyMap<number, ServerState>): HandOverQuestion => ({
    region: region(),
    servers: presentServers(control.value()).map(({ server, id, name, role }): LeaderCandidate => {
      const state = health.get(server)
      const { isReachable = false, lagBatches = Infinity, region: where = null } = state ?? {}
      return { id, name, role, leads: BigInt(`0x${id}`) === self, region: where, isReachable, lagBatches }
    }),
    ledForMs: performance.now() - ledSinceMs,
    triedAgoMs: performance.now() - triedMs,
  })
  const look = async (): Promise<void> => {
    if (isLooking || !control.role().isLeader || !isHandOverDue(question(members.health()))) return
    isLooking = true
    try {
      // What they said up to a second ago is not enough for this.
      const health = await members.ask()
      // The state is closed by then.
      if (isOver) return
      const asked = question(health)
      const to = handOverTo(asked)
      if (to === null) return
      triedMs = performance.now()
      log.info('hands over to a server that is preferred', { to: to.name, region: asked.region })
      control.moveLeader(BigInt(`0x${to.id}`))
      kv.moveLeader(BigInt(`0x${to.id}`))
    } finally {
      isLooking = false
    }
  }
  const timer = setInterval(() => void look(), LOOK_MS)
  timer.unref()
  return {
    stop: () => {
      isOver = true
      clearInterval(timer)
    },
  }
}
