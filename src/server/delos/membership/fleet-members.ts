import { followMembers } from '../../../core/delos/virtual-log/follow-members.ts'
import { survives } from '../../../core/delos/virtual-log/members.ts'
import type { MemberChange } from '../../../core/delos/virtual-log/plan.ts'
import { presentServers, type RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { LogMembers, Members } from '../serve/members.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'

export interface FleetMembersOptions {
  /** of either log, its changes and how its servers are */
  control: { log: VirtualLog; members: LogMembers }
  kv: { log: VirtualLog; members: LogMembers }
  /** that this server leads the fleet: it sees to it that both logs have the same servers */
  leads: () => boolean
  logger: Logger
}

/** Changes of the servers of a fleet: made of the control log, which the other log follows, also when its server died in between. */
export interface FleetMembers extends Members {
  /** Lets a server in, that has its certificate; again if it is there. Gives both registers as they are then. */
  letIn: (server: { id: string; name: string; address: string; isVoter: boolean }) => Promise<{ control: RegisterValue; kv: RegisterValue }>
}

const LOOK_MS = 1000
const FOLLOWED_MS = 15_000
const RETRY_MS = 100
const BY_TOKEN: RpcError = {
  code: 12,
  text: 'muster: a server joins a fleet by `muster up --join TOKEN`, with a token of `muster delos member token`',
}

export function fleetMembers({ control, kv, leads, logger }: FleetMembersOptions): FleetMembers {
  let following: Promise<string | null> | null = null

  /** One step towards the servers of the control log; null: there is none to make. */
  const follow = async (): Promise<string | null> => {
    const changes = followMembers(control.log.value(), kv.log.value())
    if (changes.length === 0) return null
    const guard = (base: RegisterValue): string | null =>
      kv.members.problems(base, followMembers(control.log.value(), base)).join('; ') || null
    const outcome = await kv.log.change({ kind: 'members', changes }, guard)
    return outcome.kind === 'done' ? '' : outcome.kind === 'lost' ? 'another change was decided instead' : outcome.problem
  }
  const step = (): Promise<string | null> => {
    following ??= follow().finally(() => (following = null))
    return following
  }
  /** Until both logs have the same servers, or for so long. Gives what is in the way, or null. */
  const followed = async (): Promise<string | null> => {
    const untilMs = performance.now() + FOLLOWED_MS
    for (;;) {
      const problem = await step()
      if (problem === null) return null
      if (performance.now() > untilMs) return problem
      if (problem !== '') await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
  const both = async (refusal: RpcError | null): Promise<RpcError | null> => {
    if (refusal !== null) return refusal
    const problem = await followed()
    return problem === null ? null : { code: 14, text: `muster: done for the control log; the other one follows, but not yet: ${problem}` }
  }

  const timer = setInterval(() => {
    if (!leads()) return
    void step().then((problem) => {
      if (problem) logger.warn('the servers of the key-value log do not follow yet', { reason: problem })
    })
  }, LOOK_MS)
  timer.unref()

  return {
    health: control.members.health,
    ask: async () => {
      const [own, ofKv] = await Promise.all([control.members.ask(), kv.members.ask()])
      const idOf = new Map(presentServers(control.log.value()).map(({ server, id }) => [server, id]))
      const behind = new Map(presentServers(kv.log.value()).map(({ server, id }) => [id, ofKv.get(server)?.lagBatches ?? 0]))
      return new Map(
        [...own].map(([server, each]) => {
          const lagBatches = Math.max(each.lagBatches, behind.get(idOf.get(server) ?? '') ?? 0)
          return [server, { ...each, lagBatches }]
        }),
      )
    },
    tellName: control.members.tellName,
    add: async () => BY_TOKEN,
    remove: async (id) => both(await control.members.remove(id)),
    update: async (id, peerUrls) => both(await control.members.update(id, peerUrls)),
    promote: async (ids, allowEven = false) =>
      both(evenProblem(control.log.value(), ids, allowEven) ?? (await control.members.promote(ids))),
    letIn: async ({ id, name, address, isVoter }) => {
      const addresses = [`https://${address}`]
      const known = control.log.value().servers.find((server) => server.id === id)
      if (known?.role === 'removed') throw new MusterError('DELOS_MEMBER_REMOVED', `server ${id} was removed from this fleet`)
      if (known === undefined) {
        const change: MemberChange = { kind: 'add', id, name, addresses, role: isVoter ? 'pending' : 'learner' }
        const guard = (base: RegisterValue): string | null =>
          presentServers(base).some((server) => server.name === name) ? `there is a server ${name} already: give another --name` : null
        const outcome = await control.log.change({ kind: 'members', changes: [change] }, guard)
        if (outcome.kind !== 'done') throw notDone(outcome)
      }
      const problem = await followed()
      if (problem !== null)
        throw new MusterError('DELOS_RECONFIGURE_UNFINISHED', `the key-value log does not know the server yet: ${problem}`)
      return { control: control.log.value(), kv: kv.log.value() }
    },
    stop: () => {
      clearInterval(timer)
      control.members.stop()
      kv.members.stop()
    },
  }
}

/** An even number of voters survives no more failures than one less, and has one more to fail. */
function evenProblem(value: RegisterValue, ids: readonly bigint[], allowEven: boolean): RpcError | null {
  const voters = presentServers(value).filter(({ id, role }) => role === 'voter' || ids.includes(BigInt(`0x${id}`))).length
  if (allowEven || voters % 2 === 1) return null
  const text = `muster: ${voters} voters survive ${survives(voters)} failures, as ${voters - 1} do, and there is one more to fail; --allow-even does it all the same`
  return { code: 9, text }
}

function notDone(outcome: { kind: 'lost' } | { kind: 'refused' | 'unfinished'; problem: string }): MusterError {
  if (outcome.kind === 'lost') return new MusterError('DELOS_RECONFIGURE_LOST', 'another change of the servers was decided instead')
  return new MusterError(outcome.kind === 'refused' ? 'DELOS_RECONFIGURE_REFUSED' : 'DELOS_RECONFIGURE_UNFINISHED', outcome.problem)
}
