import { z } from 'zod'
import { presentServers } from '../../../core/delos/virtual-log/value.ts'
import type { ErrorCode } from '../../../core/kernel/error-table.ts'
import type { ControlDigests } from '../control-digests.ts'
import type { JsonCall, Page } from '../etcd/port.ts'
import type { Peers } from '../quorum/peers.ts'
import { ADMIN_ROOT } from '../serve/admin.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import type { FleetMembers } from './fleet-members.ts'

export interface FleetServer {
  server: number
  /** in hexadecimal */
  id: string
  name: string
  addresses: string[]
  role: string
  leads: boolean
  /** the one that says this */
  isSelf: boolean
  /** why it is not reached from here; null: it is */
  trouble: string | null
  /** what is wrong with its state, as it said last; null: nothing is known of that */
  state: string | null
  /** batches of the control log that it is behind; null: not known */
  lag: number | null
  /** where it is, as it says itself; null: not said */
  region: string | null
  /** a write of its control log until fdatasync returned, ms; null: not known, or nothing was written since it started */
  syncP50Ms: number | null
  syncP99Ms: number | null
  /** how much its clock is ahead of that of the one that says this, ms; null: not known */
  clockOffMs: number | null
}

export interface FleetCallsOptions {
  control: VirtualLog
  kv: VirtualLog
  members: FleetMembers
  /** what they made of the control log, compared */
  states: Pick<ControlDigests, 'troubles'>
  peers: Peers
  self: bigint
}

/** The servers of a fleet as this one sees them. */
export function fleetServers({ control, members, states, peers, self }: FleetCallsOptions): FleetServer[] {
  const { leader } = control.role()
  const troubles = new Map(peers.troubles().map(({ id, reason }) => [id, reason]))
  const health = members.health()
  const wrong = states.troubles()
  return presentServers(control.value()).map(({ server, id: hex, name, addresses, role }) => {
    const id = BigInt(`0x${hex}`)
    const said = health.get(server)
    const isHere = id === self
    return {
      ...{ server, id: hex, name, addresses, role },
      leads: id === leader,
      isSelf: isHere,
      trouble: isHere ? null : (troubles.get(id) ?? null),
      state: wrong.get(id)?.text ?? null,
      lag: isHere || said?.isReachable === true ? (said?.lagBatches ?? 0) : null,
      region: said?.region ?? null,
      syncP50Ms: said?.syncP50Ms || null,
      syncP99Ms: said?.syncP99Ms || null,
      clockOffMs: isHere ? 0 : said?.isReachable === true ? said.clockOffMs : null,
    }
  })
}

const moveSchema = z.object({ to: z.string().min(1) })
const MOVED_MS = 5000
const LOOK_MS = 2

/** Calls about the servers of a fleet, beside those about a log. */
export function fleetCalls(options: FleetCallsOptions): Record<string, JsonCall> {
  const { control, kv } = options
  return {
    [`${ADMIN_ROOT}/member/list`]: async () => page(200, { members: fleetServers(options), term: control.role().term }),
    [`${ADMIN_ROOT}/leader/move`]: async (body) => {
      const asked = moveSchema.safeParse(body)
      if (!asked.success) return refuse('USAGE', 'which server shall lead?')
      const servers = fleetServers(options)
      const from = servers.find(({ leads }) => leads)
      const to = servers.find(({ name, id }) => name === asked.data.to || id === asked.data.to)
      if (to === undefined)
        return refuse('NOT_FOUND', `there is no server ${asked.data.to}; there are ${servers.map(({ name }) => name).join(', ')}`)
      if (from?.id === to.id) return page(200, { from: to.name, to: to.name, term: control.role().term, gapMs: 0 })
      if (to.role !== 'voter') return refuse('DELOS_REFUSED', `${to.name} is a ${to.role}: it has no vote, so it cannot lead`)
      const id = BigInt(`0x${to.id}`)
      const startedAt = performance.now()
      if (!control.moveLeader(id)) return refuse('DELOS_NOT_LEADER', 'this server does not lead the fleet')
      // Where another server leads the key-value log, that stays so.
      kv.moveLeader(id)
      while (control.role().leader !== id) {
        if (performance.now() - startedAt > MOVED_MS)
          return refuse('UNAVAILABLE', `${to.name} does not lead yet after ${MOVED_MS / 1000} s`)
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      }
      const gapMs = Math.round(performance.now() - startedAt)
      return page(200, { from: from?.name ?? '', to: to.name, term: control.role().term, gapMs })
    },
  }
}

const page = (status: number, body: object): Page => ({ status, type: 'application/json', body: JSON.stringify(body) })
const refuse = (code: ErrorCode, message: string): Page => page(409, { error: { code, message } })
