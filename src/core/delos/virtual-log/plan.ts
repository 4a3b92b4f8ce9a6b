import { assert } from '../../kernel/assert.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { SERVER_ID_MAX } from '../paxos/ballot.ts'
import { fileConfigSchema, quorumConfigSchema, quorumOf } from './quorum-config.ts'
import {
  lastSegment,
  presentServers,
  serversIn,
  type Decider,
  type LogletKind,
  type RegisterValue,
  type Segment,
  type Server,
} from './value.ts'

/** One change of one member. */
export type MemberChange =
  | { kind: 'add'; id: string; name: string; addresses: string[]; role: 'learner' | 'pending' }
  | { kind: 'promote'; server: number }
  | { kind: 'remove'; server: number }
  | { kind: 'update'; server: number; name?: string; addresses?: string[]; incarnation?: number }

/** What someone wants of the chain. It is planned anew on whatever version is found, so each says an aim and not a difference. */
export type Intent =
  /** to another loglet. `config`: of a file `{server}`, of etcd its own; of a quorum it follows from the members */
  | { kind: 'switch'; to: LogletKind; config: Segment['config']; decider?: Decider }
  /** to a loglet of the same make: continues what was sealed and left */
  | { kind: 'clone' }
  /** several at once are one change */
  | { kind: 'members'; changes: readonly MemberChange[] }
  | { kind: 'skip'; position: number; reason: string }
  /** `since` null: from the first position of a new segment, before which nobody has applied anything without knowing */
  | { kind: 'feature'; name: string; since: number | null }
  /** segments that end at or before `position` are forgotten */
  | { kind: 'trim'; position: number }

export interface Change {
  servers: Server[]
  decider: Decider
  skips: RegisterValue['skips']
  features: RegisterValue['features']
  /** a feature that holds from the new segment on; null: none */
  enables: string | null
  /** without what is forgotten */
  chain: Segment[]
  /** of a new segment; null: the last one goes on taking appends */
  segment: { kind: LogletKind; config: Segment['config'] } | null
}

export type Plan = { kind: 'nothing' } | { kind: 'refused'; problem: string } | { kind: 'change'; change: Change }

/** What `intent` makes of `base`. @param self the server that drives it, which begins the first election of a new quorum */
export function planFor(base: RegisterValue, intent: Intent, self: number): Plan {
  const last = lastSegment(base)
  const { servers, decider, skips, features, chain } = base
  const same: Change = { servers, decider, skips, features, enables: null, chain, segment: null }
  const change = (parts: Partial<Change>): Plan => ({ kind: 'change', change: { ...same, ...parts } })
  switch (intent.kind) {
    case 'clone':
      return change({ segment: { kind: last.kind, config: cloneOf(last, self) } })
    case 'switch': {
      const config = intent.to === 'quorum' ? { ...intent.config, ...quorumOf(base, self) } : intent.config
      const next = intent.decider ?? decider
      const isSame = intent.to === last.kind && isSameConfig(config, last.config) && canonicalJson(next) === canonicalJson(decider)
      return isSame ? { kind: 'nothing' } : change({ segment: { kind: intent.to, config }, decider: next })
    }
    case 'members':
      return planMembers(base, intent.changes, self, change)
    case 'skip': {
      if (skips.some(({ position }) => position === intent.position)) return { kind: 'nothing' }
      return change({ skips: [...skips, { position: intent.position, reason: intent.reason }] })
    }
    case 'feature': {
      if (features.some(({ name }) => name === intent.name)) return { kind: 'nothing' }
      if (intent.since === null) return change({ enables: intent.name, segment: { kind: last.kind, config: cloneOf(last, self) } })
      return change({ features: [...features, { name: intent.name, since: intent.since }] })
    }
    case 'trim': {
      const kept = chain.filter(({ end }) => end === null || end > intent.position)
      return kept.length === chain.length ? { kind: 'nothing' } : change({ chain: kept })
    }
  }
}

/** Who opens a loglet is no part of what it is. */
function isSameConfig(a: Segment['config'], b: Segment['config']): boolean {
  return canonicalJson({ ...a, opener: 0 }) === canonicalJson({ ...b, opener: 0 })
}

function cloneOf(segment: Segment, self: number): Segment['config'] {
  if (segment.kind !== 'quorum') return segment.config
  const config = quorumConfigSchema.parse(segment.config)
  return { ...segment.config, opener: config.voters.includes(self) ? self : config.opener }
}

function planMembers(base: RegisterValue, changes: readonly MemberChange[], self: number, change: (parts: Partial<Change>) => Plan): Plan {
  let servers = base.servers
  for (const each of changes) {
    const next = withChange(servers, each)
    if (typeof next === 'string') return { kind: 'refused', problem: next }
    servers = next
  }
  if (canonicalJson(servers) === canonicalJson(base.servers)) return { kind: 'nothing' }
  const next = { ...base, servers }
  if (serversIn(next, 'voter').length === 0) return { kind: 'refused', problem: 'no voter would be left' }
  return change({ servers, segment: segmentFor(base, next, self), decider: deciderFor(next) })
}

/** The members after one change, or why it cannot be made. A change that was made already changes nothing. */
function withChange(servers: Server[], change: MemberChange): Server[] | string {
  if (change.kind === 'add') {
    const known = servers.find(({ id }) => id === change.id)
    if (known?.role === 'removed') return `server ${change.id} was removed; its id is not used again`
    if (known !== undefined) return servers
    const server = Math.max(0, ...servers.map((each) => each.server)) + 1
    if (server > SERVER_ID_MAX) return `${SERVER_ID_MAX} servers were members already; numbers are not used again`
    const { id, name, addresses, role } = change
    return [...servers, { server, id, name, addresses, role, incarnation: 1 }]
  }
  const member = servers.find(({ server }) => server === change.server)
  if (member === undefined) return `there is no server ${change.server}`
  const replaced = (parts: Partial<Server>): Server[] => servers.map((each) => (each === member ? { ...each, ...parts } : each))
  if (change.kind === 'remove') return member.role === 'removed' ? servers : replaced({ role: 'removed' })
  if (member.role === 'removed') return `server ${change.server} was removed`
  if (change.kind === 'promote') return replaced({ role: 'voter' })
  const { name = member.name, addresses = member.addresses, incarnation = member.incarnation } = change
  if (incarnation < member.incarnation) return `server ${change.server} would get younger`
  return replaced({ name, addresses, incarnation })
}

/** The segment that the members need; null if the one there is serves them. */
function segmentFor(base: RegisterValue, next: RegisterValue, self: number): Change['segment'] {
  const last = lastSegment(base)
  if (last.kind === 'etcd') return null
  const [first] = serversIn(next, 'voter')
  assert(first !== undefined, 'someone votes')
  // A file is of one server; others, who only learn, too, receive what a quorum decides, be it one of a single voter.
  if (presentServers(next).length === 1) {
    const isThere = last.kind === 'file' && fileConfigSchema.parse(last.config).server === first
    return isThere ? null : { kind: 'file', config: { server: first } }
  }
  const config = last.kind === 'quorum' ? { ...last.config, ...quorumOf(next, self) } : quorumOf(next, self)
  return last.kind === 'quorum' && isSameConfig(config, last.config) ? null : { kind: 'quorum', config }
}

/** One voter decides by its file, several by majority; etcd goes on deciding until it is told otherwise. */
export function deciderFor(value: Pick<RegisterValue, 'servers' | 'decider'>): Decider {
  if (value.decider.kind === 'etcd') return value.decider
  const voters = serversIn(value, 'voter')
  const [first] = voters
  assert(first !== undefined, 'someone votes')
  return voters.length === 1 ? { kind: 'file', server: first } : { kind: 'quorum', members: voters }
}

/** The version that `change` makes, once the last segment is known to end. @param opened null if the change needs no segment */
export function nextValue(
  base: RegisterValue,
  change: Change,
  opened: { loglet: number; tail: number; lastRound: number } | null,
): RegisterValue {
  const { servers, decider, skips, features, enables, chain, segment } = change
  const next = { ...base, version: base.version + 1, servers, decider, skips, features, chain }
  if (segment === null) return next
  assert(opened !== null, 'a new segment has a place')
  const { loglet, tail, lastRound } = opened
  const ended = chain.map((each) => (each.end === null ? { ...each, end: tail } : each))
  const added = { loglet, kind: segment.kind, config: segment.config, firstPosition: tail, lastRound, end: null }
  return { ...next, features: enables === null ? features : [...features, { name: enables, since: tail }], chain: [...ended, added] }
}
