import { presentServers, serversIn, type RegisterValue } from './value.ts'
import type { MemberChange } from './plan.ts'
import { fileConfigSchema, quorumConfigSchema } from './quorum-config.ts'

/** What is known of a server at the moment, by who wants to change the members. */
export interface ServerHealth {
  /** answered within a second */
  isReachable: boolean
  /** batches it is behind the last committed one */
  lagBatches: number
  /** batches that it has not taken in although they were there when it spoke the time before: while there are any, the log may need who has them */
  missingBatches: number
  /** fdatasync p99 */
  syncP99Ms: number
  /** its wall clock against the asker's, either way */
  clockOffMs: number
  /** semantic features it knows */
  features: readonly string[]
  /** everything of the log below it is on its disk, whichever loglet it came from */
  position: number
}

/** What a server may be at most to become a voter: the quorum that counts on it would wait for it. */
export interface PromotionLimits {
  lagBatches: number
  syncP99Ms: number
  clockOffMs: number
}
export const PROMOTION_LIMITS: PromotionLimits = { lagBatches: 1000, syncP99Ms: 50, clockOffMs: 500 }

export interface MemberCheck {
  /** why it is refused, in words; empty: it may be done */
  problems: string[]
  before: { voters: number[]; survives: number }
  after: { voters: number[]; survives: number }
}

/** How many voters may fail while the rest decides. */
export function survives(voters: number): number {
  return Math.max(0, Math.ceil(voters / 2) - 1)
}

/**
 * Whether a change of members may be made (delos, 3.6). Pure: the same facts give the same answer.
 * @param health by server number; one that is not in it is taken for unreachable
 * @param allowEven an even number of voters survives no more failures than one less, and has one more to fail
 */
export function checkMembers(
  value: RegisterValue,
  changes: readonly MemberChange[],
  health: ReadonlyMap<number, ServerHealth>,
  allowEven = false,
  limits = PROMOTION_LIMITS,
): MemberCheck {
  const before = serversIn(value, 'voter')
  const promoted = changes.flatMap((change) => (change.kind === 'promote' ? [change.server] : []))
  const removed = changes.flatMap((change) => (change.kind === 'remove' ? [change.server] : []))
  const after = [...new Set([...before, ...promoted])].filter((server) => !removed.includes(server)).sort((a, b) => a - b)
  const problems: string[] = []
  for (const server of promoted) problems.push(...promotionProblems(value, server, health.get(server), limits))
  for (const server of removed) {
    if (!presentServers(value).some((each) => each.server === server)) problems.push(`server ${server} is no member`)
  }
  problems.push(...lossProblems(value, removed, after, health))
  const changesVoters = after.length !== before.length || after.some((server) => !before.includes(server))
  if (changesVoters) {
    const reachable = after.filter((server) => health.get(server)?.isReachable === true)
    const majority = Math.floor(after.length / 2) + 1
    // With one to spare: the change itself must not leave a set that the next failure stops.
    const wanted = promoted.length > 0 ? Math.min(after.length, majority + 1) : majority
    if (after.length === 0) problems.push('no voter would be left')
    else if (reachable.length < wanted) {
      const silent = after.filter((server) => !reachable.includes(server))
      problems.push(
        `of ${after.length} voters ${reachable.length} would be reachable and ${wanted} are wanted: no answer from ${silent.join(', ')}`,
      )
    }
    if (after.length > 7) problems.push(`${after.length} voters; at most 7 make sense`)
    if (after.length > 0 && after.length % 2 === 0 && !allowEven)
      problems.push(
        `${after.length} voters survive ${survives(after.length)} failures, as ${after.length - 1} do, and there is one more to fail`,
      )
  }
  return {
    problems,
    before: { voters: before, survives: survives(before.length) },
    after: { voters: after, survives: survives(after.length) },
  }
}

function promotionProblems(value: RegisterValue, server: number, health: ServerHealth | undefined, limits: PromotionLimits): string[] {
  const member = presentServers(value).find((each) => each.server === server)
  if (member === undefined) return [`server ${server} is no member`]
  if (member.role === 'voter') return []
  const name = `server ${server} (${member.name})`
  if (health === undefined || !health.isReachable) return [`${name} does not answer`]
  const problems: string[] = []
  if (health.lagBatches > limits.lagBatches)
    problems.push(`${name} is ${health.lagBatches} batches behind; ${limits.lagBatches} are allowed`)
  else if (health.missingBatches > 0)
    problems.push(`${name} has not taken in yet ${health.missingBatches} batches that were written before: ask again in a moment`)
  if (health.syncP99Ms > limits.syncP99Ms)
    problems.push(`the disk of ${name} syncs in ${health.syncP99Ms} ms (p99); ${limits.syncP99Ms} are allowed`)
  if (Math.abs(health.clockOffMs) > limits.clockOffMs)
    problems.push(`the clock of ${name} is ${health.clockOffMs} ms off; ${limits.clockOffMs} are allowed`)
  const missing = value.features.filter(({ name: feature }) => !health.features.includes(feature)).map(({ name: feature }) => feature)
  if (missing.length > 0) problems.push(`${name} does not know ${missing.join(', ')}`)
  return problems
}

/** What only those hold who are to go, or may hold: it would be lost with them. */
function lossProblems(
  value: RegisterValue,
  removed: readonly number[],
  after: readonly number[],
  health: ReadonlyMap<number, ServerHealth>,
): string[] {
  if (removed.length === 0) return []
  const problems: string[] = []
  const stay = presentServers(value).flatMap(({ server }) => (removed.includes(server) ? [] : [server]))
  for (const { loglet, kind, config, end } of value.chain) {
    const isRead = end !== null && after.every((server) => (health.get(server)?.position ?? 0) >= end)
    if (isRead || kind === 'etcd') continue
    const voters = kind === 'file' ? [fileConfigSchema.parse(config).server] : quorumConfigSchema.parse(config).voters
    const left = voters.filter((server) => stay.includes(server)).length
    // Any majority that chose something must have a server among those that stay.
    if (left > voters.length - (Math.floor(voters.length / 2) + 1)) continue
    problems.push(
      end === null
        ? `loglet ${loglet}, which takes appends, would lose too many of its servers at once: remove fewer, or switch the log first`
        : `the other voters have not read loglet ${loglet} to its end at ${end} yet`,
    )
  }
  return problems
}

/** Servers that were added as voters and have caught up by now: to be promoted, together. A server that never comes costs nothing. */
export function caughtUp(value: RegisterValue, health: ReadonlyMap<number, ServerHealth>, limits = PROMOTION_LIMITS): number[] {
  return serversIn(value, 'pending').filter((server) => promotionProblems(value, server, health.get(server), limits).length === 0)
}
