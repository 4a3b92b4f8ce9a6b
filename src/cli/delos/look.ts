import { openChannel, type ChannelOptions } from '../../client/channel.ts'
import { readPage } from '../../client/page.ts'
import { ALARM_NAMES, SERVER_PAGE_PATH } from '../../core/delos/measure/names.ts'
import { serverPageSchema, type ServerPage } from '../../core/delos/measure/server-page.ts'
import { ALARM_ACTION, type Member, type StatusResponse } from '../../core/delos/wire/messages.ts'
import { METHODS } from '../../core/delos/wire/methods.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { quantileOf, samplesOf } from './prometheus.ts'
import { storeViewOf, type ServerView, type StoreView } from './store-view.ts'

const ANSWER_MS = 3000
const hex = (id: bigint): string => id.toString(16)

type Said = { server: ServerView; members: Member[] }

/**
 * Asks all servers of a store how they are: those that are named, and those that they name. Rejects with UNAVAILABLE when none answers;
 * one that does not is part of the picture.
 */
export async function lookAtStore({ endpoints, tls }: ChannelOptions): Promise<StoreView> {
  const urls = [...new Set(endpoints.map((text) => (/^https?:\/\//.test(text) ? text : `http://${text}`)))]
  const first = await Promise.all(urls.map((url) => lookAt(url, tls ?? {})))
  if (!first.some(({ server }) => server.isReachable))
    throw new MusterError('UNAVAILABLE', `no server of the store answers: ${first.map(({ server }) => server.why).join('; ')}`, {
      hint: 'Check --endpoints, and that it runs.',
    })
  const members = new Map(first.flatMap(({ members: told }) => told.map((member) => [hex(member.ID), member] as const)))
  const seen = new Set(first.flatMap(({ server }) => (server.isReachable ? [server.id] : [])))
  const asked = new Set(urls.map(normal))
  const rest = await Promise.all(
    [...members].flatMap(([id, member]) => {
      const url = member.clientURLs.find((each) => !asked.has(normal(each)))
      return seen.has(id) || url === undefined ? [] : [lookAt(url, tls ?? {})]
    }),
  )
  const found = [...first, ...rest].map(({ server }) => server)
  const servers = [...members].map(([id, member]) => placed(id, member, found))
  // Endpoints that nobody knows: they do not answer, or are of another cluster.
  const strays = found.filter(
    (server) => !servers.some(({ id, endpoint }) => id === server.id || normal(endpoint) === normal(server.endpoint)),
  )
  return storeViewOf([...servers.toSorted((a, b) => a.name.localeCompare(b.name)), ...strays])
}

const normal = (url: string): string => new URL(url).host

/** A member, with what it said, or with why it did not. */
function placed(id: string, member: Member, found: readonly ServerView[]): ServerView {
  const said = found.find((server) => server.isReachable && server.id === id)
  const silent = found.find((server) => !server.isReachable && member.clientURLs.some((url) => normal(url) === normal(server.endpoint)))
  const server = said ?? silent ?? unreached(member.clientURLs[0] ?? '', 'the others do not know where it answers clients')
  const role = member.isLearner ? 'learner' : server.role === 'unknown' ? 'voter' : server.role
  return { ...server, id, name: member.name || id, role }
}

function unreached(endpoint: string, why: string): ServerView {
  return {
    id: '',
    name: '',
    endpoint,
    role: 'unknown',
    region: null,
    isReachable: false,
    why,
    sinceMs: null,
    program: null,
    version: null,
    term: 0,
    position: 0,
    applied: 0,
    lag: null,
    revision: 0,
    syncP50Ms: null,
    syncP99Ms: null,
    clockSkewMs: null,
    clockErrorMs: null,
    dbBytes: 0,
    dbInUseBytes: 0,
    alarms: [],
    page: null,
  }
}

type Tls = NonNullable<ChannelOptions['tls']>

async function lookAt(endpoint: string, tls: Tls): Promise<Said> {
  const channel = openChannel({ endpoints: [endpoint], tls, answerMs: ANSWER_MS, patienceMs: 0 })
  const effect = { effect: 'read' } as const
  try {
    const status = await channel.call(METHODS['Maintenance/Status'], {}, effect)
    const [{ members }, { alarms }, told] = await Promise.all([
      channel.call(METHODS['Cluster/MemberList'], { linearizable: false }, effect),
      channel.call(METHODS['Maintenance/Alarm'], { action: ALARM_ACTION.get, memberID: 0n, alarm: 0 }, effect),
      pageOf(endpoint, tls),
    ])
    const alarmTexts = alarms.map(({ memberID, alarm }) => `${hex(memberID)} ${ALARM_NAMES[alarm] ?? alarm}`)
    return { server: viewOf(endpoint, status, alarmTexts, told), members }
  } catch (error) {
    const { cause, message } = error as Error
    const why = cause instanceof Error ? cause.message : message.replace('no server of the store answers: ', '')
    return { server: unreached(endpoint, why), members: [] }
  } finally {
    channel.close()
  }
}

type Told = { page: ServerPage; skewMs: number; errorMs: number } | { metrics: ReadonlyMap<string, number> }

/** `Date.now()` counts whole milliseconds, here and there. */
const CLOCK_STEP_MS = 1

/** What it tells beyond etcd's calls. */
async function pageOf(endpoint: string, tls: Tls): Promise<Told> {
  const answer = await readPage(endpoint, SERVER_PAGE_PATH, tls, ANSWER_MS).catch(() => null)
  const page = answer?.status === 200 ? serverPageSchema.safeParse(parseOrNull(answer.text)) : null
  if (answer !== null && page?.success === true) {
    const { tookMs, answeredAt } = answer
    return { page: page.data, skewMs: page.data.now + tookMs / 2 - answeredAt, errorMs: tookMs / 2 + CLOCK_STEP_MS }
  }
  const metrics = await readPage(endpoint, '/metrics', tls, ANSWER_MS).catch(() => null)
  return { metrics: samplesOf(metrics?.status === 200 ? metrics.text : '') }
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // another program's page
  }
}

function viewOf(endpoint: string, status: StatusResponse, alarms: string[], told: Told): ServerView {
  const id = hex(status.header.member_id)
  const common = {
    id,
    endpoint,
    role: hex(status.leader) === id ? ('leader' as const) : status.isLearner ? ('learner' as const) : ('voter' as const),
    isReachable: true,
    why: null,
    sinceMs: null,
    term: status.raftTerm,
    position: status.raftIndex,
    applied: status.raftAppliedIndex || status.raftIndex,
    lag: null,
    revision: status.header.revision,
    dbBytes: status.dbSize,
    dbInUseBytes: status.dbSizeInUse,
    alarms,
  }
  if ('page' in told) {
    const { page, skewMs, errorMs } = told
    const { name, region, version, sync } = page
    const measured = { syncP50Ms: sync.p50Ms, syncP99Ms: sync.p99Ms, clockSkewMs: skewMs, clockErrorMs: errorMs }
    return { ...common, name, region, program: 'muster', version, ...measured, page }
  }
  const syncMs = (share: number): number | null => {
    const seconds = quantileOf(told.metrics, 'etcd_disk_wal_fsync_duration_seconds', share)
    return seconds === null ? null : seconds * 1000
  }
  const measured = { syncP50Ms: syncMs(0.5), syncP99Ms: syncMs(0.99), clockSkewMs: null, clockErrorMs: null }
  return { ...common, name: id, region: null, program: 'etcd', version: status.version, ...measured, page: null }
}
