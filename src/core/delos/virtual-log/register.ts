import { assert } from '../../kernel/assert.ts'
import { canonicalJson } from '../../kernel/json.ts'
import type { Prng } from '../../kernel/prng.ts'
import { ballotOf, roundOf, type Ballot } from '../paxos/ballot.ts'
import type {
  AcceptedValue,
  EtcdAnswer,
  EtcdRequest,
  RegisterInput,
  RegisterOutput,
  RegisterReply,
  RegisterState,
} from './register-contract.ts'
import type { RegisterMessage } from './register-messages.ts'
import { VIRTUAL_LOG_RULES, type VirtualLogRules } from './rules.ts'
import { decidingServers, decodeValue, encodeValue, presentServers, successionProblem, type RegisterValue } from './value.ts'

/**
 * One server's part in the register of a log: a value that only compare-and-set changes. Each version is one instance of Paxos ("Paxos
 * Made Simple", section 2.2) among the servers that the version before names; a file is a majority of one. With etcd as decider the
 * instance is a compare of etcd's mod_revision. `register-contract.ts` says what is wanted of who runs it.
 */

/** A proposal that was not decided so long ends. */
export const PROPOSAL_MS = 5000
/** Who would decide from now on answers within this time, or the proposal ends: the log stands still meanwhile. */
export const OFFER_MS = 600
/** Messages without an answer are sent again, etcd is asked again. */
const RESEND_MS = 100
/** After a refusal, so that two proposers do not meet again: a random time up to this. */
const BACKOFF_MS = 60
/** How often a server asks another one whether there is a newer version. */
export const ASK_MS = 500
/** What was accepted here, and of which nothing was heard since for so long, is brought to its end: it may be decided, and known to nobody left. */
export const LEFT_MS = 700
/** Soon after a start: what this server acted on may be among it. */
const LEFT_AT_START_MS = 20
/** Values that a server keeps because it may become their decider. */
const OFFERS_MAX = 8

type Of<K extends RegisterMessage['kind']> = Extract<RegisterMessage, { kind: K }>

interface Proposal {
  /** null: nobody waits for it */
  requestId: number | null
  value: RegisterValue
  base: RegisterValue
  /** what phase 2 carries: the own value, or one that was found */
  carried: RegisterValue
  phase: 'offering' | 'preparing' | 'accepting' | 'waiting' | 'etcd'
  offerId: number
  ballot: Ballot
  offered: Set<number>
  promises: Map<number, AcceptedValue | null>
  accepts: Set<number>
  /** from here on it may be decided without this server */
  isOut: boolean
  until: number
  resendAt: number
}

/** Phase 1 for a proposal that is to come. Its ballot carries that one and no other. */
interface Reservation {
  base: RegisterValue
  ballot: Ballot
  promises: Map<number, AcceptedValue | null>
}

interface EtcdUse {
  requestId: number
  /** `seed`: brings the version before to where the next one is decided */
  step: 'read' | 'seed' | 'set'
}

/** What leaves when a write is on disk. */
interface Parcel {
  messages: { to: number; message: RegisterMessage }[]
  known: RegisterValue[]
  replies: RegisterReply[]
  /** votes of this server for its own proposal */
  own: RegisterMessage[]
}

export interface Register {
  readonly self: number
  readonly rules: VirtualLogRules
  readonly prng: Prng
  now: number
  state: RegisterState
  proposal: Proposal | null
  reserved: Reservation | null
  /** highest round met anywhere for the version after the held one */
  seenRound: number
  askAt: number
  /** when what was accepted here counts as left */
  leftAt: number
  etcd: EtcdUse | null
  /** of those who remain, who holds the version that removed this server, or a later one */
  told: Set<number>
  tellAt: number
  nextId: number
  isDirty: boolean
  draft: Parcel
  pending: { id: number; after: Parcel }[]
  lastWriteId: number
  /** the write that has `state.accepted` */
  acceptedWriteId: number
  out: RegisterOutput
}

const emptyParcel = (): Parcel => ({ messages: [], known: [], replies: [], own: [] })
const emptyOutput = (): RegisterOutput => ({
  ...{ persist: [], send: [], etcd: [], known: [], replies: [] },
  isReleased: false,
  wakeAt: Number.MAX_SAFE_INTEGER,
})

/**
 * The register as this server's file left it. What the file holds is told as `known` by the first step.
 * @param self number of this server
 * @param rules never anything but the default outside the simulator
 */
export function createRegister(self: number, state: RegisterState, prng: Prng, now: number, rules = VIRTUAL_LOG_RULES): Register {
  const draft = emptyParcel()
  if (state.held !== null) draft.known.push(state.held)
  return {
    self,
    rules,
    prng,
    now,
    state: rules.keepsPromise ? state : { ...state, promised: 0 },
    proposal: null,
    reserved: null,
    seenRound: 0,
    askAt: now + prng.below(ASK_MS),
    leftAt: now + LEFT_AT_START_MS,
    etcd: null,
    told: new Set(),
    tellAt: now,
    nextId: prng.below(2 ** 20) * 2 ** 32,
    isDirty: false,
    draft,
    pending: [],
    lastWriteId: 0,
    acceptedWriteId: 0,
    out: emptyOutput(),
  }
}

/** Takes one input. Changes `r`; the output is the caller's to carry out before the next input. */
export function stepRegister(r: Register, input: RegisterInput): RegisterOutput {
  r.out = emptyOutput()
  if (input.now > r.now) r.now = input.now
  switch (input.kind) {
    case 'tick':
      onTick(r)
      break
    case 'message':
      onMessage(r, input.from, input.message, input.isCaughtUp === true)
      break
    case 'persisted':
      onPersisted(r, input.upTo)
      break
    case 'propose':
      onPropose(r, input.requestId, input.value)
      break
    case 'reserve':
      onReserve(r)
      break
    case 'etcd':
      onEtcd(r, input.requestId, input.answer)
      break
  }
  flush(r)
  r.out.isReleased = isReleased(r)
  const leftAt = isLeft(r) ? r.leftAt : r.askAt
  const tellAt = isRemoved(r) && !r.out.isReleased ? r.tellAt : r.askAt
  r.out.wakeAt = Math.min(r.askAt, leftAt, tellAt, r.proposal?.until ?? r.askAt, r.proposal?.resendAt ?? r.askAt)
  return r.out
}

function onMessage(r: Register, from: number, message: RegisterMessage, isCaughtUp: boolean): void {
  switch (message.kind) {
    case 'offer':
      return onOffer(r, from, message)
    case 'offered':
      return onOffered(r, from, message)
    case 'prepare':
      return onPrepare(r, from, message)
    case 'promise':
      return onPromise(r, from, message)
    case 'accept':
      return onAccept(r, from, message)
    case 'accepted':
      return onAccepted(r, from, message)
    case 'refuse':
      return onRefuse(r, message)
    case 'ask':
      return onAsk(r, from, message)
    case 'known':
      return onKnown(r, from, message, isCaughtUp)
    case 'holds':
      return onHolds(r, from, message)
  }
}

// --- what is on disk, and what waits for it

function write(r: Register, change: Partial<RegisterState>): void {
  r.state = { ...r.state, ...change }
  r.isDirty = true
}

/** Gives out what this step has to write; what waits for no write leaves at once. */
function flush(r: Register): void {
  const { draft } = r
  r.draft = emptyParcel()
  if (r.isDirty) {
    r.isDirty = false
    r.lastWriteId += 1
    r.out.persist.push({ id: r.lastWriteId, state: r.state })
    r.pending.push({ id: r.lastWriteId, after: draft })
  } else if (isEmpty(draft)) {
    return
  } else if (r.pending.length > 0) {
    // It may depend on a write that is under way.
    r.pending.push({ id: r.lastWriteId, after: draft })
  } else {
    deliver(r, draft)
    if (r.isDirty || !isEmpty(r.draft)) flush(r)
  }
}

function isEmpty({ messages, known, replies, own }: Parcel): boolean {
  return messages.length + known.length + replies.length + own.length === 0
}

function deliver(r: Register, parcel: Parcel): void {
  r.out.send.push(...parcel.messages)
  r.out.known.push(...parcel.known)
  r.out.replies.push(...parcel.replies)
  for (const message of parcel.own) onMessage(r, r.self, message, false)
}

function onPersisted(r: Register, upTo: number): void {
  while (r.pending[0] !== undefined && r.pending[0].id <= upTo) {
    const next = r.pending.shift()
    if (next !== undefined) deliver(r, next.after)
  }
}

/** To another server, or to this one, once what this step writes is on disk. */
function send(r: Register, to: number, message: RegisterMessage): void {
  if (to === r.self) r.draft.own.push(message)
  else r.draft.messages.push({ to, message })
}

// --- what is decided

/** `value` is decided: everything about its version, and those before, is over. */
function learn(r: Register, value: RegisterValue): void {
  const { held, offers } = r.state
  if (held !== null && value.version <= held.version) return
  assert(held === null || value.clusterId === held.clusterId, 'a register is of one cluster')
  // What was accepted here is on disk already, or about to be: that it is decided need not be there before it is acted on.
  const { accepted } = r.state
  const isAccepted = accepted !== null && canonicalJson(accepted.value) === canonicalJson(value)
  const { acceptedWriteId } = r
  write(r, { held: value, promised: 0, accepted: null, offers: offers.filter(({ version }) => version > value.version) })
  r.seenRound = 0
  r.reserved = null
  r.told.clear()
  const isInDraft = !isAccepted || acceptedWriteId > r.lastWriteId
  const after = isInDraft ? r.draft : (r.pending.find(({ id }) => id === acceptedWriteId)?.after ?? r.out)
  after.known.push(value)
  const { proposal } = r
  if (proposal === null || proposal.value.version > value.version) return
  r.proposal = null
  r.etcd = null
  if (proposal.requestId !== null) after.replies.push({ kind: 'decided', requestId: proposal.requestId, value })
}

/** Everyone who has a part in it, before or after, hears of it at once: who decided it has it on disk, and this server's does not matter. */
function announce(r: Register, value: RegisterValue): void {
  const servers = new Set(presentServers(value).map(({ server }) => server))
  for (const { server } of r.state.held?.servers ?? []) servers.add(server)
  for (const server of servers) if (server !== r.self) r.out.send.push({ to: server, message: { kind: 'known', value } })
}

function onKnown(r: Register, from: number, { value }: Of<'known'>, isCaughtUp: boolean): void {
  const { held } = r.state
  // A member hears it when it asks; who was removed waits for it, and tells it again until then.
  if (held === null || held.version < value.version) learn(r, value)
  else if (isCaughtUp && !isPresent(held, from)) send(r, from, { kind: 'holds', version: held.version })
}

// --- after this server was removed

const isPresent = (value: RegisterValue, server: number): boolean => presentServers(value).some((each) => each.server === server)

function isRemoved({ self, state: { held } }: Register): boolean {
  return held !== null && !isPresent(held, self)
}

function onHolds(r: Register, from: number, { version }: Of<'holds'>): void {
  if (version >= (r.state.held?.version ?? 0)) r.told.add(from)
}

/** Those who remain could lack it, and be too few to decide it without this server, which alone may know that it is decided. */
function isReleased(r: Register): boolean {
  const { held } = r.state
  if (held === null || !isRemoved(r) || r.pending.length > 0) return false
  const deciders = decidingServers(held.decider)
  // In etcd everybody finds it who knows that etcd is to be asked.
  return deciders.length === 0 ? r.told.size > 0 : deciders.filter((server) => r.told.has(server)).length > deciders.length / 2
}

function tell(r: Register): void {
  const { held } = r.state
  if (held === null) return
  r.tellAt = r.now + RESEND_MS
  for (const { server } of presentServers(held)) if (!r.told.has(server)) send(r, server, { kind: 'known', value: held })
}

function onAsk(r: Register, from: number, message: Of<'ask'>): void {
  const { held } = r.state
  const version = held?.version ?? 0
  if (held !== null && version > message.version) send(r, from, { kind: 'known', value: held })
  // Who asks has more: also how a server that was just let in, and missed the news, hears of it.
  else if (version < message.version) send(r, from, { kind: 'ask', version })
}

/** True if this is about a version that is decided already: who asks is told. */
function isOver(r: Register, from: number, version: number): boolean {
  const { held } = r.state
  if (held === null || held.version < version) return false
  if (from !== r.self) send(r, from, { kind: 'known', value: held })
  return true
}

// --- acceptor

/** Whether this server has a vote on the version after `base`; learns `base` if it must. */
function isDecider(r: Register, base: RegisterValue): boolean {
  learn(r, base)
  return r.state.held?.version === base.version && decidingServers(base.decider).includes(r.self)
}

function onOffer(r: Register, from: number, { offerId, value }: Of<'offer'>): void {
  if (isOver(r, from, value.version)) return
  const { offers } = r.state
  const text = canonicalJson(value)
  if (!offers.some((offer) => canonicalJson(offer) === text)) {
    if (offers.length >= OFFERS_MAX) return
    write(r, { offers: [...offers, value] })
  }
  send(r, from, { kind: 'offered', offerId })
}

function onPrepare(r: Register, from: number, { version, ballot, base }: Of<'prepare'>): void {
  if (isOver(r, from, version) || !isDecider(r, base)) return
  const { promised, accepted } = r.state
  if (ballot < promised) return send(r, from, { kind: 'refuse', version, ballot, promised })
  if (ballot > promised) write(r, { promised: ballot })
  send(r, from, { kind: 'promise', version, ballot, accepted })
}

function onAccept(r: Register, from: number, { version, ballot, value, base }: Of<'accept'>): void {
  if (isOver(r, from, version) || !isDecider(r, base)) return
  const { promised } = r.state
  if (ballot < promised) return send(r, from, { kind: 'refuse', version, ballot, promised })
  assert(successionProblem(base, value) === null, `version ${version} may follow the one before`)
  write(r, { promised: ballot, accepted: { ballot, value } })
  r.leftAt = r.now + LEFT_MS + r.prng.below(LEFT_MS)
  // This step's write has it.
  r.acceptedWriteId = r.lastWriteId + 1
  send(r, from, { kind: 'accepted', version, ballot })
}

// --- proposer

function onPropose(r: Register, requestId: number, value: RegisterValue): void {
  const { held } = r.state
  const refuse = (why: 'busy' | 'unreachable' | 'invalid', problem: string): void => {
    r.draft.replies.push({ kind: 'refused', requestId, why, problem })
  }
  if (held === null) return refuse('unreachable', 'this server was told no version yet')
  if (value.version <= held.version) {
    r.draft.replies.push({ kind: 'decided', requestId, value: held })
    return
  }
  if (r.proposal !== null) return refuse('busy', 'another proposal of this server is under way')
  const problem = successionProblem(held, value)
  if (problem !== null) return refuse('invalid', problem)
  r.proposal = proposalOf(r, requestId, held, value)
  // Who is to decide from now on must have been told before: else it could be named by a version that nobody who is left knows.
  if (newDeciders(r.proposal).length === 0) return beginDeciding(r, r.proposal)
  r.proposal.until = r.now + OFFER_MS
  sendOffers(r, r.proposal)
}

function proposalOf(r: Register, requestId: number | null, base: RegisterValue, value: RegisterValue): Proposal {
  r.nextId += 1
  return {
    requestId,
    value,
    base,
    carried: value,
    phase: 'offering',
    offerId: r.nextId,
    ballot: 0,
    offered: new Set(),
    promises: new Map(),
    accepts: new Set(),
    isOut: false,
    until: r.now + PROPOSAL_MS,
    resendAt: r.now + RESEND_MS,
  }
}

/** Something was accepted here for the next version, and nobody here carries it on. */
function isLeft(r: Register): boolean {
  const { held, accepted } = r.state
  return r.proposal === null && accepted !== null && held !== null && held.decider.kind !== 'etcd'
}

/** Decides what was left: all that comes before phase 1 was done for it. */
function continueLeft(r: Register): void {
  const { held, accepted } = r.state
  if (held === null || accepted === null) return
  r.leftAt = r.now + LEFT_MS + r.prng.below(LEFT_MS)
  r.proposal = proposalOf(r, null, held, accepted.value)
  beginDeciding(r, r.proposal)
}

function newDeciders({ base, value }: Proposal): number[] {
  const before = decidingServers(base.decider)
  return decidingServers(value.decider).filter((server) => !before.includes(server))
}

function sendOffers(r: Register, proposal: Proposal): void {
  const { offerId, value, offered } = proposal
  for (const server of newDeciders(proposal)) if (!offered.has(server)) send(r, server, { kind: 'offer', offerId, value })
}

function onOffered(r: Register, from: number, message: Of<'offered'>): void {
  const { proposal } = r
  if (proposal === null || proposal.phase !== 'offering' || proposal.offerId !== message.offerId) return
  proposal.offered.add(from)
  if (newDeciders(proposal).every((server) => proposal.offered.has(server))) beginDeciding(r, proposal)
}

function beginDeciding(r: Register, proposal: Proposal): void {
  proposal.until = r.now + PROPOSAL_MS
  proposal.resendAt = r.now + RESEND_MS
  if (proposal.base.decider.kind === 'etcd') {
    proposal.phase = 'etcd'
    return askEtcd(r, 'read', { kind: 'read' })
  }
  const { reserved } = r
  r.reserved = null
  // A higher promise of this server since: its ballot would be refused here, too.
  if (reserved?.base.version !== proposal.base.version || reserved.ballot !== r.state.promised) return prepare(r, proposal)
  proposal.phase = 'preparing'
  proposal.ballot = reserved.ballot
  proposal.promises = reserved.promises
  if (isMajority(proposal.promises.size, proposal)) carry(r, proposal)
  else sendPrepare(r, proposal)
}

/** Phase 1 ahead of what it is for. Lost messages are not sent again: whoever proposes does that. */
function onReserve(r: Register): void {
  const { held } = r.state
  if (held === null || r.proposal !== null || held.decider.kind === 'etcd') return
  const ballot = freshBallot(r)
  r.reserved = { base: held, ballot, promises: new Map() }
  write(r, { promised: ballot })
  sendPrepare(r, r.reserved)
}

function freshBallot(r: Register): Ballot {
  return ballotOf(Math.max(r.seenRound, roundOf(r.state.promised)) + 1, r.self)
}

/** Phase 1, with a ballot that this server never used: it is on disk before anyone hears of it. */
function prepare(r: Register, proposal: Proposal): void {
  proposal.phase = 'preparing'
  proposal.ballot = freshBallot(r)
  proposal.promises.clear()
  proposal.accepts.clear()
  proposal.resendAt = r.now + RESEND_MS
  write(r, { promised: proposal.ballot })
  sendPrepare(r, proposal)
}

function sendPrepare(r: Register, { base, ballot, promises }: Reservation): void {
  const message: RegisterMessage = { kind: 'prepare', version: base.version + 1, ballot, base }
  for (const to of decidingServers(base.decider)) if (!promises.has(to)) send(r, to, message)
}

function sendAccept(r: Register, { base, ballot, accepts, carried }: Proposal): void {
  const message: RegisterMessage = { kind: 'accept', version: base.version + 1, ballot, value: carried, base }
  for (const to of decidingServers(base.decider)) if (!accepts.has(to)) send(r, to, message)
}

function isMajority(count: number, { base }: Proposal): boolean {
  return count > decidingServers(base.decider).length / 2
}

function onPromise(r: Register, from: number, message: Of<'promise'>): void {
  const { proposal, reserved } = r
  if (reserved?.ballot === message.ballot && reserved.base.version + 1 === message.version) {
    reserved.promises.set(from, message.accepted)
    return
  }
  if (proposal === null || proposal.phase !== 'preparing' || proposal.ballot !== message.ballot) return
  if (proposal.base.version + 1 !== message.version) return
  proposal.promises.set(from, message.accepted)
  if (isMajority(proposal.promises.size, proposal)) carry(r, proposal)
}

/** Phase 2, for what phase 1 found, or for the own value. */
function carry(r: Register, proposal: Proposal): void {
  let found: AcceptedValue | null = null
  for (const accepted of proposal.promises.values()) {
    if (accepted !== null && (found === null || accepted.ballot > found.ballot)) found = accepted
  }
  proposal.carried = found !== null && r.rules.takesOver ? found.value : proposal.value
  proposal.phase = 'accepting'
  proposal.isOut = true
  proposal.resendAt = r.now + RESEND_MS
  sendAccept(r, proposal)
}

function onAccepted(r: Register, from: number, message: Of<'accepted'>): void {
  const { proposal } = r
  if (proposal === null || proposal.phase !== 'accepting' || proposal.ballot !== message.ballot) return
  if (proposal.base.version + 1 !== message.version) return
  proposal.accepts.add(from)
  if (!isMajority(proposal.accepts.size, proposal)) return
  announce(r, proposal.carried)
  learn(r, proposal.carried)
}

function onRefuse(r: Register, message: Of<'refuse'>): void {
  const { proposal, reserved } = r
  if (reserved?.ballot === message.ballot && reserved.base.version + 1 === message.version) {
    r.seenRound = Math.max(r.seenRound, roundOf(message.promised))
    r.reserved = null
  }
  if (proposal === null || proposal.ballot !== message.ballot || proposal.base.version + 1 !== message.version) return
  r.seenRound = Math.max(r.seenRound, roundOf(message.promised))
  if (proposal.phase !== 'preparing' && proposal.phase !== 'accepting') return
  proposal.phase = 'waiting'
  proposal.resendAt = r.now + 5 + r.prng.below(BACKOFF_MS)
}

function onTick(r: Register): void {
  if (r.now >= r.askAt) askAround(r)
  if (isLeft(r) && r.now >= r.leftAt) continueLeft(r)
  if (isRemoved(r) && r.now >= r.tellAt) tell(r)
  const { proposal } = r
  if (proposal === null) return
  if (r.now >= proposal.until) {
    const { requestId, isOut } = proposal
    r.proposal = null
    r.etcd = null
    if (requestId === null) return
    r.draft.replies.push(
      isOut ? { kind: 'unknown', requestId } : { kind: 'refused', requestId, why: 'unreachable', problem: missing(proposal) },
    )
    return
  }
  if (r.now < proposal.resendAt) return
  proposal.resendAt = r.now + RESEND_MS
  if (proposal.phase === 'offering') sendOffers(r, proposal)
  else if (proposal.phase === 'preparing') sendPrepare(r, proposal)
  else if (proposal.phase === 'accepting') sendAccept(r, proposal)
  else if (proposal.phase === 'waiting') prepare(r, proposal)
  else if (r.etcd === null) askEtcd(r, 'read', { kind: 'read' })
}

function missing(proposal: Proposal): string {
  const { phase, base, offered, promises } = proposal
  if (phase === 'etcd') return 'etcd, which decides about the chain, does not answer'
  const wanted = phase === 'offering' ? newDeciders(proposal) : decidingServers(base.decider)
  const silent = wanted.filter((server) => (phase === 'offering' ? !offered.has(server) : !promises.has(server)))
  return `no answer about the chain from server ${silent.join(', ')}`
}

/** A version that this server missed is heard of, however its news got lost. */
function askAround(r: Register): void {
  r.askAt = r.now + ASK_MS / 2 + r.prng.below(ASK_MS)
  const { held } = r.state
  if (held === null) return
  const others = presentServers(held).filter(({ server }) => server !== r.self)
  const other = others[r.prng.below(others.length)]
  if (other !== undefined) send(r, other.server, { kind: 'ask', version: held.version })
  if (held.decider.kind === 'etcd' && r.etcd === null) askEtcd(r, 'read', { kind: 'read' })
}

// --- etcd decides

function askEtcd(r: Register, step: EtcdUse['step'], ask: EtcdRequest['ask']): void {
  const decider = r.state.held?.decider
  if (decider?.kind !== 'etcd') return
  r.nextId += 1
  r.etcd = { requestId: r.nextId, step }
  r.out.etcd.push({ requestId: r.nextId, config: decider.config, ask })
}

/**
 * The key holds the newest version that etcd decided, or that was decided elsewhere and brought there; both are final. So a key
 * that is behind is brought up to the version held here, and the next version is put only over that one.
 */
function onEtcd(r: Register, requestId: number, answer: EtcdAnswer): void {
  const { etcd, proposal } = r
  const { held } = r.state
  if (etcd === null || etcd.requestId !== requestId || held === null) return
  r.etcd = null
  const isProposing = proposal !== null && proposal.phase === 'etcd'
  if (answer.kind === 'unknown') return
  if (answer.kind === 'put') {
    if (!isProposing) return
    if (etcd.step === 'seed') return setInEtcd(r, proposal, answer.modRevision)
    announce(r, proposal.value)
    return learn(r, proposal.value)
  }
  const value = answer.bytes === null ? null : decodeValue(answer.bytes)
  // Not to be read: of a newer program, or not ours. It is not overwritten.
  if (answer.bytes !== null && value === null) return
  if (value !== null && value.version > held.version) return learn(r, value)
  if (!isProposing) return
  if (value !== null && value.version === held.version) return setInEtcd(r, proposal, answer.modRevision)
  askEtcd(r, 'seed', { kind: 'cas', modRevision: answer.modRevision, bytes: encodeValue(held) })
}

function setInEtcd(r: Register, proposal: Proposal, modRevision: number): void {
  proposal.isOut = true
  askEtcd(r, 'set', { kind: 'cas', modRevision, bytes: encodeValue(proposal.value) })
}
