import { checkMembers, caughtUp, type PromotionLimits, type ServerHealth } from '../../../core/delos/virtual-log/members.ts'
import type { Feature } from '../../../core/delos/virtual-log/features.ts'
import type { MemberChange } from '../../../core/delos/virtual-log/plan.ts'
import type { Outcome } from '../../../core/delos/virtual-log/reconfigure.ts'
import { presentServers, serversIn, type RegisterValue, type Server } from '../../../core/delos/virtual-log/value.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import type { Aside } from './aside.ts'
import { memberIdOf } from './options.ts'

/** Changes of members, with etcd's texts for what is refused. */
export interface Members {
  add(peerUrls: readonly string[], role: 'learner' | 'pending', name?: string): Promise<RpcError | bigint>
  remove(id: bigint): Promise<RpcError | null>
  update(id: bigint, peerUrls: readonly string[]): Promise<RpcError | null>
  /** All at once; several are one change. `allowEven`: an even number of voters is wanted, where that is a question. */
  promote(ids: readonly bigint[], allowEven?: boolean): Promise<RpcError | null>
  /** As each said last, by server number. */
  health(): ReadonlyMap<number, ServerState>
  /** The same, with each asked now: who does not answer within a second is not reachable. */
  ask(): Promise<ReadonlyMap<number, ServerState>>
  /** A server that was added has a name only once it says it. */
  tellName(name: string): Promise<void>
  stop(): void
}

export interface ServerState extends ServerHealth {
  syncP50Ms: number
  region: string | null
}

/** Those of one log. */
export interface LogMembers extends Members {
  /** What is in the way of a change of the members of `base`, by what each said last. */
  problems(base: RegisterValue, changes: readonly MemberChange[]): string[]
}

export interface MembersOptions {
  log: VirtualLog
  /** position of the last batch that this server has applied */
  applied: () => number
  /** position of the last batch in what is made of this log here, where that may be behind `applied`; absent: it is not */
  made?: () => number
  /** batches that a server (16 hex digits) lacks of another log, whose servers follow those of this one */
  missingBeside?: (id: string) => number
  aside: Aside
  /** what servers tell each other of this log goes by this name */
  topic?: string
  /** when those that were added as voters and have caught up become it: as soon as they are, only where an odd number comes of it, never by itself */
  promotes?: 'atOnce' | 'odd' | 'never'
  self: bigint
  /** of `--initial-cluster-token`: ids of members follow from it */
  clusterToken: string
  /** what a server may be at most to become a voter */
  limits?: PromotionLimits
  /** where this server is; null: nobody said */
  region?: string | null
  /** that this program knows */
  features: readonly Feature[]
  logger: Logger
  /** Opens the port for other servers. Rejects with PORT_TAKEN. */
  listen: () => Promise<void>
}

const HEALTH = 'server.health'
/** A server that said nothing for so long is not reachable: it says something each second. */
const SILENT_MS = 2500
/** Whoever is asked has so long to answer. */
const ASKED_MS = 1000
const ASKED_LOOK_MS = 5
/** What a server says of its clock may have been on its way for long: of so many the quickest is believed. */
const CLOCK_SAMPLES = 4
const LOOK_MS = 500

const BAD_URLS: RpcError = { code: 3, text: 'etcdserver: given member URLs are invalid' }
const NOT_FOUND: RpcError = { code: 5, text: 'etcdserver: member not found' }
const EXISTS: RpcError = { code: 9, text: 'etcdserver: Peer URLs already exists' }
const NOT_LEARNER: RpcError = { code: 9, text: 'etcdserver: can only promote a learner member' }
const NOT_READY: RpcError = { code: 9, text: 'etcdserver: can only promote a learner member which is in sync with leader' }
const NOT_STARTED: RpcError = { code: 9, text: 'etcdserver: re-configuration failed due to not enough started members' }
const TOO_MANY_LEARNERS: RpcError = { code: 9, text: 'etcdserver: too many learner members in cluster' }
const UNHEALTHY: RpcError = { code: 14, text: 'etcdserver: unhealthy cluster' }
/** etcd's own bound. */
const LEARNERS_MAX = 1

interface Said {
  id: string
  applied: number
  made?: number
  syncP50Ms?: number
  syncP99Ms: number
  nowMs: number
  features: string[]
  region?: string | null
}

export function createMembers(options: MembersOptions): LogMembers {
  const {
    log,
    applied,
    made,
    missingBeside = () => 0,
    aside,
    self,
    clusterToken,
    features,
    logger,
    listen,
    topic = HEALTH,
    promotes = 'atOnce',
    region = null,
    limits,
  } = options
  // An even number is etcd's to choose, too.
  const check = (value: RegisterValue, changes: readonly MemberChange[], health: ReadonlyMap<number, ServerHealth>): string[] =>
    checkMembers(value, changes, health, true, limits).problems
  /** `tail`, `tailBefore`: of the log, when it spoke last and the time before */
  const heard = new Map<string, Said & { atMs: number; clocksMs: number[]; tail: number; tailBefore: number }>()
  const known = features.map(({ name }) => name)
  const say = (): Said => {
    const { p50Ms, p99Ms } = log.syncStats()
    const far = made === undefined ? {} : { made: made() }
    return { id: hexOf(self), applied: applied(), ...far, syncP50Ms: p50Ms, syncP99Ms: p99Ms, nowMs: Date.now(), features: known, region }
  }
  aside.announce(topic, say)
  aside.onTell(topic, (said: Said) => {
    const clocksMs = [...(heard.get(said.id)?.clocksMs ?? []), said.nowMs - Date.now()].slice(-CLOCK_SAMPLES)
    const tail = log.tail()
    heard.set(said.id, { ...said, atMs: performance.now(), clocksMs, tail, tailBefore: heard.get(said.id)?.tail ?? tail })
  })
  const asked = `${topic}.ask`
  aside.onTell(asked, () => aside.tell(topic, say()))

  /** @param sinceMs whoever was heard since then is reachable, of `performance.now()` */
  const healthSince = (sinceMs: number): ReadonlyMap<number, ServerState> => {
    const found = new Map<number, ServerState>()
    for (const { id, server } of presentServers(log.value())) {
      const isSelf = id === hexOf(self)
      const heardOf = heard.get(id)
      const said = isSelf ? say() : heardOf
      const past = said?.applied ?? 0
      const missing = (heardOf?.tailBefore ?? log.tail()) - 1 - Math.min(past, said?.made ?? past)
      found.set(server, {
        isReachable: isSelf || (heardOf !== undefined && heardOf.atMs >= sinceMs),
        position: isSelf ? log.tail() : past + 1,
        lagBatches: isSelf ? 0 : Math.max(0, log.tail() - 1 - past),
        missingBatches: isSelf ? 0 : Math.max(0, missing, missingBeside(id)),
        syncP50Ms: hundredths(said?.syncP50Ms ?? 0),
        syncP99Ms: hundredths(said?.syncP99Ms ?? 0),
        // A delay makes a clock seem late, never early.
        clockOffMs: isSelf || heardOf === undefined ? 0 : Math.round(Math.max(...heardOf.clocksMs)),
        features: said?.features ?? [],
        region: said?.region ?? null,
      })
    }
    return found
  }
  const health = (): ReadonlyMap<number, ServerState> => healthSince(performance.now() - SILENT_MS)
  const ask = async (): Promise<ReadonlyMap<number, ServerState>> => {
    const askedMs = performance.now()
    aside.tell(asked, {})
    for (;;) {
      const found = healthSince(askedMs)
      if ([...found.values()].every(({ isReachable }) => isReachable) || performance.now() - askedMs > ASKED_MS) return found
      await new Promise((resolve) => setTimeout(resolve, ASKED_LOOK_MS))
    }
  }

  /** @param reached as they answered a moment ago; left out: as they said last */
  const change = async (changes: readonly MemberChange[], reached?: ReadonlyMap<number, ServerState>): Promise<RpcError | null> => {
    const latest = (): ReadonlyMap<number, ServerState> => {
      if (reached === undefined) return health()
      const isThere = (server: number): boolean => reached.get(server)?.isReachable === true
      return new Map([...health()].map(([server, each]) => [server, { ...each, isReachable: isThere(server) }]))
    }
    const guard = (base: RegisterValue): string | null => check(base, changes, latest()).join('; ') || null
    const outcome = await log.change({ kind: 'members', changes }, guard)
    if (outcome.kind === 'done') return null
    logger.warn('the members could not be changed', { ...outcome, value: undefined })
    return refusalOf(outcome)
  }

  const find = (id: bigint): Server | undefined => presentServers(log.value()).find((server) => BigInt(`0x${server.id}`) === id)

  /** Who was added as a voter counts once it has caught up: an absent one never costs the quorum. */
  let isPromoting = false
  const timer = setInterval(() => {
    if (!log.role().isLeader || isPromoting) return
    const ready = promotable(log.value(), caughtUp(log.value(), health(), limits), promotes)
    if (ready.length === 0) return
    isPromoting = true
    void change(ready.map((server) => ({ kind: 'promote', server }))).finally(() => {
      isPromoting = false
    })
  }, LOOK_MS)
  timer.unref()

  return {
    health,
    ask,
    problems: (base, changes) => check(base, changes, health()),
    add: async (peerUrls, role, name = '') => {
      if (peerUrls.length === 0 || peerUrls.some((url) => !/^https?:\/\/[^/]+:\d+$/.test(url))) return BAD_URLS
      const value = log.value()
      const taken = new Set(presentServers(value).flatMap(({ addresses }) => addresses))
      if (peerUrls.some((url) => taken.has(url))) return EXISTS
      if (role === 'learner' && serversIn(value, 'learner').length >= LEARNERS_MAX) return TOO_MANY_LEARNERS
      // Asked now: servers that have just started have not said anything by themselves yet.
      if (!hasReachableMajority(value, await ask())) return UNHEALTHY
      const id = freshId(value, peerUrls, clusterToken)
      await listen()
      return (await change([{ kind: 'add', id: hexOf(id), name, addresses: [...peerUrls], role }])) ?? id
    },
    remove: async (id) => {
      const member = find(id)
      if (member === undefined) return NOT_FOUND
      const changes = [{ kind: 'remove', server: member.server }] as const
      // Who is asked to keep the rest alive has to be there.
      const reached = await ask()
      const problems = check(log.value(), changes, reached)
      if (problems.length > 0) return { ...NOT_STARTED, why: problems.join('; ') }
      return change(changes, reached)
    },
    update: async (id, peerUrls) => {
      const member = find(id)
      if (member === undefined) return NOT_FOUND
      if (peerUrls.length === 0 || peerUrls.some((url) => !/^https?:\/\/[^/]+:\d+$/.test(url))) return BAD_URLS
      const others = presentServers(log.value()).filter((server) => server !== member)
      if (others.some(({ addresses }) => addresses.some((url) => peerUrls.includes(url)))) return EXISTS
      return change([{ kind: 'update', server: member.server, addresses: [...peerUrls] }])
    },
    promote: async (ids) => {
      const found = ids.map(find)
      const changes: MemberChange[] = []
      for (const member of found) {
        if (member === undefined) return NOT_FOUND
        if (member.role === 'voter') return NOT_LEARNER
        changes.push({ kind: 'promote', server: member.server })
      }
      const reached = await ask()
      const problems = check(log.value(), changes, reached)
      if (problems.length > 0) {
        logger.warn('a promotion was refused', { why: problems.join('; ') })
        return { ...NOT_READY, why: problems.join('; ') }
      }
      return change(changes, reached)
    },
    tellName: async (name) => {
      const own = find(self)
      if (own !== undefined && own.name === '') await change([{ kind: 'update', server: own.server, name }])
    },
    stop: () => clearInterval(timer),
  }
}

/** An even number of voters survives no more failures than one less. */
function promotable(value: RegisterValue, ready: number[], promotes: 'atOnce' | 'odd' | 'never'): number[] {
  if (promotes === 'never') return []
  const isEven = (serversIn(value, 'voter').length + ready.length) % 2 === 0
  return promotes === 'odd' && isEven ? ready.slice(1) : ready
}

const hundredths = (ms: number): number => Math.round(ms * 100) / 100
const hexOf = (id: bigint): string => id.toString(16).padStart(16, '0')

function hasReachableMajority(value: RegisterValue, health: ReadonlyMap<number, ServerHealth>): boolean {
  const voters = serversIn(value, 'voter')
  return voters.filter((server) => health.get(server)?.isReachable === true).length > voters.length / 2
}

/** etcd makes it of the URLs and the cluster's token, and so does the server that joins; one that was removed is not used again. */
function freshId(value: RegisterValue, peerUrls: readonly string[], token: string): bigint {
  const used = new Set(value.servers.map(({ id }) => BigInt(`0x${id}`)))
  for (let generation = 0; ; generation += 1) {
    const id = memberIdOf(peerUrls, joinToken(token, generation))
    if (!used.has(id)) return id
  }
}

/** A server that comes back to the same address after it was removed is another member. */
export function joinToken(token: string, generation: number): string {
  return generation === 0 ? token : `${token}#${generation}`
}

function refusalOf(outcome: Exclude<Outcome, { kind: 'done' }>): RpcError {
  if (outcome.kind === 'lost') return { code: 10, text: 'muster: another change of the members was decided instead' }
  if (outcome.kind === 'refused') return { code: 9, text: `muster: ${outcome.problem}` }
  return { code: 14, text: `muster: the change was not finished in time (${outcome.phase}: ${outcome.problem}); the servers go on with it` }
}
