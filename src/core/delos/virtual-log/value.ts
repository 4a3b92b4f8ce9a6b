import { z } from 'zod'
import { SERVER_ID_MAX } from '../paxos/ballot.ts'

/**
 * The value of the register: the chain and all that decides about it (delos, 3.5). Its format is frozen: fields are only ever added,
 * and every object keeps the fields that this program does not know when it is written again.
 */

const serverNumberSchema = z.number().int().min(1).max(SERVER_ID_MAX)
const positionSchema = z.number().int().min(1)
const configSchema = z.record(z.string(), z.json())

export const LOGLET_KINDS = ['file', 'quorum', 'etcd'] as const
export type LogletKind = (typeof LOGLET_KINDS)[number]

const segmentSchema = z.looseObject({
  /** never used twice in a log, also not by a loglet that was created and lost */
  loglet: z
    .number()
    .int()
    .min(1)
    .max(2 ** 32 - 1),
  kind: z.enum(LOGLET_KINDS),
  /** known to this kind of loglet only; of a quorum: `quorum-config.ts` */
  config: configSchema,
  firstPosition: positionSchema,
  /** the last round (of a ballot) used in the segments before; this one's are above */
  lastRound: z.number().int().min(0),
  /** position after its last entry, where the next segment begins; null: it takes appends */
  end: positionSchema.nullable(),
})
export type Segment = z.output<typeof segmentSchema>

/**
 * - `voter`: counts
 * - `learner`: receives, does not count
 * - `pending`: to be a voter as soon as it has caught up; a learner until then
 * - `removed`: was one; its number and id are never used again
 */
export const SERVER_ROLES = ['voter', 'learner', 'pending', 'removed'] as const
export type ServerRole = (typeof SERVER_ROLES)[number]

const serverSchema = z.looseObject({
  /** what ballots and the messages of loglets name it by */
  server: serverNumberSchema,
  /** 64 bits, 16 hex digits: what etcd's clients and certificates name it by */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: z.string(),
  /** URLs at which other servers reach it */
  addresses: z.array(z.string()),
  role: z.enum(SERVER_ROLES),
  /** not used: by what a copy from the past is found out, changes more often (`incarnation.ts`) */
  incarnation: z.number().int().min(1),
})
export type Server = z.output<typeof serverSchema>

const deciderSchema = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('file'), server: serverNumberSchema }),
  z.looseObject({ kind: z.literal('quorum'), members: z.array(serverNumberSchema).min(1) }),
  /** `config` says where: endpoints, key, certificates */
  z.looseObject({ kind: z.literal('etcd'), config: configSchema }),
])
export type Decider = z.output<typeof deciderSchema>

const skipSchema = z.looseObject({ position: positionSchema, reason: z.string() })
const featureSchema = z.looseObject({ name: z.string(), since: positionSchema })

export const registerValueSchema = z.looseObject({
  version: z.number().int().min(1),
  /** 64 bits, 16 hex digits */
  clusterId: z.string().regex(/^[0-9a-f]{16}$/),
  /** ascending; the last one takes appends */
  chain: z.array(segmentSchema).min(1),
  servers: z.array(serverSchema).min(1),
  /** who decides the version after this one */
  decider: deciderSchema,
  /** positions that are not applied, by nobody, ever */
  skips: z.array(skipSchema),
  features: z.array(featureSchema),
})
export type RegisterValue = z.output<typeof registerValueSchema>

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeValue(value: RegisterValue): Uint8Array {
  return encoder.encode(JSON.stringify(value))
}

/** Null: these bytes are not a value that this program knows; nothing may be concluded from it, least of all that there is none. */
export function decodeValue(bytes: Uint8Array): RegisterValue | null {
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(bytes))
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  const parsed = registerValueSchema.safeParse(json)
  return parsed.success && problemOf(parsed.data) === null ? parsed.data : null
}

/** What makes a value none, in words; null if nothing does. */
export function problemOf(value: RegisterValue): string | null {
  const { chain, servers, decider } = value
  for (const [i, segment] of chain.entries()) {
    const next = chain[i + 1]
    if ((segment.end === null) !== (next === undefined))
      return `segment ${segment.loglet} must ${next === undefined ? 'be open' : 'have an end'}`
    if (segment.end !== null && segment.end < segment.firstPosition) return `segment ${segment.loglet} ends before it begins`
    if (next !== undefined && next.firstPosition !== segment.end) return `segment ${next.loglet} does not begin where the one before ends`
    if (next !== undefined && next.lastRound < segment.lastRound) return `rounds fall at segment ${next.loglet}`
  }
  if (new Set(chain.map(({ loglet }) => loglet)).size < chain.length) return 'a loglet is in the chain twice'
  if (new Set(servers.map(({ server }) => server)).size < servers.length) return 'a server number is given twice'
  if (new Set(servers.map(({ id }) => id)).size < servers.length) return 'a server id is given twice'
  const present = new Set(servers.filter(({ role }) => role !== 'removed').map(({ server }) => server))
  const stranger = decidingServers(decider).find((server) => !present.has(server))
  if (stranger !== undefined) return `server ${stranger} decides and is not a member`
  const last = chain.at(-1)
  const keepers = last === undefined ? [] : keepersOf(last)
  const gone = keepers.find((server) => !present.has(server))
  return gone === undefined ? null : `server ${gone} keeps the last segment and is not a member`
}

/** What makes `next` no successor of `previous`, in words; null if nothing does. What was decided about a position stays. */
export function successionProblem(previous: RegisterValue, next: RegisterValue): string | null {
  if (next.version !== previous.version + 1) return `version ${next.version} does not follow ${previous.version}`
  if (next.clusterId !== previous.clusterId) return 'another cluster'
  const problem = problemOf(next)
  if (problem !== null) return problem
  // Segments may go at the front (trimmed), and come at the end; those between stay what they were.
  const kept = previous.chain.filter(({ loglet }) => next.chain.some((each) => each.loglet === loglet))
  if (kept.at(-1) !== previous.chain.at(-1)) return 'the last segment is gone'
  for (const [i, segment] of kept.entries()) {
    const same = next.chain[i]
    if (same?.loglet !== segment.loglet || same.firstPosition !== segment.firstPosition || same.kind !== segment.kind)
      return `segment ${segment.loglet} was changed`
    if (segment.end !== null && same.end !== segment.end) return `the end of segment ${segment.loglet} was changed`
  }
  if (next.chain.length - kept.length > 1) return 'more than one segment was added'
  for (const server of previous.servers) {
    const same = next.servers.find((each) => each.server === server.server)
    if (same?.id !== server.id) return `server ${server.server} was forgotten`
    if (server.role === 'removed' && same.role !== 'removed') return `server ${server.server} comes back`
  }
  if (previous.skips.some(({ position }) => !next.skips.some((skip) => skip.position === position))) return 'a skip was forgotten'
  return null
}

/** Servers whose majority decides; none with etcd. A file is a majority of one. */
export function decidingServers(decider: Decider): readonly number[] {
  if (decider.kind === 'file') return [decider.server]
  return decider.kind === 'quorum' ? decider.members : []
}

/** Servers that a segment lives on, as far as its config names some. */
function keepersOf({ kind, config }: Segment): number[] {
  const { server, voters } = config
  if (kind === 'file') return typeof server === 'number' ? [server] : []
  return kind === 'quorum' && Array.isArray(voters) ? voters.filter((voter) => typeof voter === 'number') : []
}

/** Servers that take part, in whatever role. */
export function presentServers(value: Pick<RegisterValue, 'servers'>): Server[] {
  return value.servers.filter(({ role }) => role !== 'removed')
}

export function serversIn(value: Pick<RegisterValue, 'servers'>, role: ServerRole): number[] {
  return value.servers.filter((each) => each.role === role).map(({ server }) => server)
}

/** The segment that takes appends. */
export function lastSegment(value: RegisterValue): Segment {
  const last = value.chain.at(-1)
  if (last === undefined) throw new RangeError('a chain has a segment')
  return last
}
