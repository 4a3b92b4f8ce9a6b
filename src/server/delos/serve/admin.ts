import { z } from 'zod'
import type { Feature } from '../../../core/delos/virtual-log/features.ts'
import { planFor, type Intent } from '../../../core/delos/virtual-log/plan.ts'
import {
  lastSegment,
  LOGLET_KINDS,
  presentServers,
  serversIn,
  type RegisterValue,
  type Segment,
} from '../../../core/delos/virtual-log/value.ts'
import { isRpcError } from '../../../core/delos/kv/errors.ts'
import { httpStatusOf } from '../../../core/delos/wire/gateway/http-status.ts'
import { refusal } from '../../../core/delos/wire/refusal.ts'
import type { Call, RpcError } from '../../../core/delos/wire/service.ts'
import type { JsonCall, Page } from '../etcd/port.ts'
import type { Identify } from '../store/identity.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import type { Replica } from '../store/replica.ts'
import { refusalOf, type Refusal } from './admin-refusal.ts'
import { enableFeature, featureRows } from './features.ts'
import type { Members } from './members.ts'
import { skipPosition, storeSkips, type SkipTarget } from './skip.ts'

export interface AdminOptions {
  log: VirtualLog
  replica: Replica
  identify: Identify
  members: Members
  features: readonly Feature[]
  clusterId: bigint
  self: bigint
  /** what is made of the log; without it the replica's store */
  skips?: SkipTarget
  /** calls that stand in files of their own, by their paths below `ROOT` */
  more?: Readonly<Record<string, (body: unknown) => Promise<object | Refusal>>>
}

/** Where operators' calls are. */
export const ADMIN_ROOT = '/muster/v1/delos'

const switchSchema = z.object({
  /** none: a new loglet of the same kind and servers */
  to: z.enum(LOGLET_KINDS).optional(),
  /** to what it was before the last switch */
  back: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  /** of an etcd */
  endpoints: z.array(z.string()).default([]),
  prefix: z.string().optional(),
  user: z.string().optional(),
  passwordFile: z.string().optional(),
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  /** the etcd is this log's alone, and may forget what was trimmed */
  compacts: z.boolean().default(false),
  /** names: whom the caller takes for the voters of a quorum, or the server of a file */
  members: z.array(z.string()).default([]),
})
type SwitchRequest = z.output<typeof switchSchema>

const skipSchema = z.object({ position: z.number().int().min(1), reason: z.string().min(1).max(1000), dryRun: z.boolean().default(false) })
const enableSchema = z.object({ name: z.string().min(1), dryRun: z.boolean().default(false) })
const addSchema = z.object({ peerUrls: z.array(z.string()), isLearner: z.boolean().default(false), name: z.string().default('') })
const idsSchema = z.object({ ids: z.array(z.string().regex(/^[0-9a-f]{1,16}$/)).min(1), allowEven: z.boolean().default(false) })
const updateSchema = z.object({ id: z.string().regex(/^[0-9a-f]{1,16}$/), peerUrls: z.array(z.string()) })

/** Calls of `delos log` and `delos member`: JSON, for root when users are on. Refusals are `{"error": {code, message}}`. */
export function adminCalls(options: AdminOptions): Record<string, JsonCall> {
  const { log, replica, identify, members, skips = storeSkips(log, replica) } = options
  const forRoot =
    (work: (body: unknown) => Promise<object | Refusal>): JsonCall =>
    async (body: unknown, call: Call) => {
      const who = identify(call)
      if (isRpcError(who)) return refuse(httpStatusOf(who.code), { code: refusal(who).code, message: who.text })
      const forbidden = replica.store.mayAdminister(who)
      if (forbidden !== null) return refuse(403, { code: 'NOT_PERMITTED', message: forbidden.text })
      const answer = await work(body)
      return 'code' in answer ? refuse(409, answer) : page(200, answer)
    }
  const parsed = <T>(schema: z.ZodType<T>, body: unknown, work: (request: T) => Promise<object | Refusal>): Promise<object | Refusal> => {
    const read = schema.safeParse(body)
    if (read.success) return work(read.data)
    const [issue] = read.error.issues
    return Promise.resolve({ code: 'USAGE', message: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}` })
  }
  const done = async (change: Promise<RpcError | bigint | null>): Promise<object | Refusal> => {
    const given = await change
    if (given !== null && typeof given !== 'bigint')
      return { code: 'DELOS_RECONFIGURE_REFUSED', message: given.why === undefined ? given.text : `${given.text}: ${given.why}` }
    return { ...(given === null ? {} : { id: given.toString(16) }), members: memberRows(log.value()) }
  }
  const idOf = (hex: string): bigint => BigInt(`0x${hex}`)
  return {
    ...Object.fromEntries(Object.entries(options.more ?? {}).map(([path, work]) => [`${ADMIN_ROOT}/${path}`, forRoot(work)])),
    [`${ADMIN_ROOT}/log/loglets`]: forRoot(async () => chainOf(log)),
    [`${ADMIN_ROOT}/log/switch`]: forRoot((body) => parsed(switchSchema, body, (request) => switchLog(options, request))),
    [`${ADMIN_ROOT}/log/skip`]: forRoot((body) =>
      parsed(skipSchema, body, (request) => skipPosition({ ...options, target: skips }, request)),
    ),
    [`${ADMIN_ROOT}/log/features`]: forRoot(async () => ({ features: featureRows(options) })),
    [`${ADMIN_ROOT}/log/enable`]: forRoot((body) => parsed(enableSchema, body, (request) => enableFeature(options, request))),
    [`${ADMIN_ROOT}/member/list`]: forRoot(async () => ({ members: memberRows(log.value()) })),
    [`${ADMIN_ROOT}/member/add`]: forRoot((body) =>
      parsed(addSchema, body, ({ peerUrls, isLearner, name }) => done(members.add(peerUrls, isLearner ? 'learner' : 'pending', name))),
    ),
    [`${ADMIN_ROOT}/member/promote`]: forRoot((body) =>
      parsed(idsSchema, body, ({ ids, allowEven }) => done(members.promote(ids.map(idOf), allowEven))),
    ),
    [`${ADMIN_ROOT}/member/remove`]: forRoot((body) => parsed(idsSchema, body, ({ ids }) => done(members.remove(idOf(ids[0] as string))))),
    [`${ADMIN_ROOT}/member/update`]: forRoot((body) =>
      parsed(updateSchema, body, ({ id, peerUrls }) => done(members.update(idOf(id), peerUrls))),
    ),
  }
}

async function switchLog(options: AdminOptions, request: SwitchRequest): Promise<object | Refusal> {
  const { log } = options
  const before = log.value()
  const intent = intentOf(options, request)
  if ('code' in intent) return intent
  const from = lastSegment(before)
  if (request.dryRun) {
    const self = presentServers(before).find(({ id }) => BigInt(`0x${id}`) === options.self)?.server ?? 0
    const plan = planFor(before, intent, self)
    if (plan.kind === 'refused') return { code: 'DELOS_RECONFIGURE_REFUSED', message: plan.problem }
    const segment = plan.kind === 'change' ? plan.change.segment : null
    const problem = segment === null ? null : await log.tryOut(segment)
    return { dryRun: true, from: segmentRow(from), to: segment, problem }
  }
  const outcome = await log.change(intent)
  if (outcome.kind !== 'done') return refusalOf(outcome)
  const to = lastSegment(outcome.value)
  const isSwitched = to.loglet !== from.loglet
  if (isSwitched) await untilFirstBatch(log)
  return {
    version: outcome.value.version,
    from: segmentRow(from),
    to: segmentRow(to),
    tries: outcome.tries,
    gapMs: isSwitched ? log.lastGapMs() : null,
  }
}

const GAP_WAIT_MS = 200

/** Under load the first batch comes at once; without any there is no gap to tell of. */
async function untilFirstBatch(log: VirtualLog): Promise<void> {
  for (let waited = 0; waited < GAP_WAIT_MS && log.lastGapMs() === null; waited += 10)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

function intentOf({ log, clusterId, self }: AdminOptions, request: SwitchRequest): Intent | Refusal {
  const value = log.value()
  if (request.back) {
    const before = value.chain.at(-2)
    if (before === undefined) return { code: 'DELOS_RECONFIGURE_REFUSED', message: 'the log was never anywhere else, as far as is kept' }
    return { kind: 'switch', to: before.kind, config: before.kind === 'quorum' ? {} : before.config }
  }
  const { to } = request
  if (to === undefined) return { kind: 'clone' }
  const named = request.members.map((name) => presentServers(value).find((server) => server.name === name || server.id === name))
  const missing = request.members[named.indexOf(undefined)]
  if (missing !== undefined) return { code: 'USAGE', message: `there is no member ${missing}` }
  const voters = serversIn(value, 'voter')
  if (to === 'quorum') {
    if (named.length > 0 && (named.length !== voters.length || named.some((server) => !voters.includes(server?.server ?? 0))))
      return { code: 'USAGE', message: 'the voters are others: change them with `muster delos member add`, `promote` and `remove`' }
    return { kind: 'switch', to, config: {} }
  }
  if (to === 'file') {
    if (presentServers(value).length > 1)
      return { code: 'DELOS_RECONFIGURE_REFUSED', message: 'a file is of one server: remove the other members first' }
    return { kind: 'switch', to, config: { server: voters[0] as number } }
  }
  if (request.endpoints.length === 0) return { code: 'USAGE', message: '--to etcd needs --endpoints' }
  const { endpoints, user, passwordFile, caFile, certFile, keyFile, compacts } = request
  const given = Object.fromEntries(
    Object.entries({ user, passwordFile, caFile, certFile, keyFile }).filter(([, text]) => text !== undefined),
  )
  const opener = presentServers(value).find(({ id }) => BigInt(`0x${id}`) === self)?.server ?? 0
  const prefix = request.prefix ?? `/muster/${clusterId.toString(16)}/kv`
  const own = { ...(given as Record<string, string>), ...(compacts ? { compacts } : {}) }
  return { kind: 'switch', to, config: { endpoints, prefix, opener, ...own } }
}

function chainOf(log: VirtualLog): object {
  const value = log.value()
  const { version, decider } = value
  return {
    version,
    decider,
    chain: value.chain.map(segmentRow),
    members: memberRows(value),
    skips: value.skips,
    tail: log.tail(),
    lastGapMs: log.lastGapMs(),
  }
}

function segmentRow({ loglet, kind, config, firstPosition, end, lastRound }: Segment): object {
  return { loglet: loglet.toString(16).padStart(8, '0'), kind, firstPosition, end, lastRound, config }
}

function memberRows(value: RegisterValue): object[] {
  return presentServers(value).map(({ server, id, name, addresses, role }) => ({ server, id, name, addresses, role }))
}

const page = (status: number, body: object): Page => ({ status, type: 'application/json', body: JSON.stringify(body) })

const refuse = (status: number, error: Refusal): Page => page(status, { error })
