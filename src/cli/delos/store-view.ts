import type { ServerPage } from '../../core/delos/measure/server-page.ts'

/** One server of a store, as it was found. */
export interface ServerView {
  /** in hexadecimal, as etcd's tools print it; '' of a server that never said */
  id: string
  name: string
  endpoint: string
  role: 'leader' | 'voter' | 'learner' | 'unknown'
  region: string | null
  isReachable: boolean
  /** why it is not reached from here, or from the server that says so */
  why: string | null
  /** ms since the epoch: since when another server does not reach it */
  sinceMs: number | null
  program: 'muster' | 'etcd' | null
  version: string | null
  term: number
  /** last position it knows to be committed, and the last it has applied */
  position: number
  applied: number
  /** positions behind the most advanced of the servers, less what was written between asking the one and the other */
  lag: number | null
  revision: number
  /** of muster: of the last seconds; of etcd: since its start */
  syncP50Ms: number | null
  syncP99Ms: number | null
  /** how much its clock is ahead of this machine's, and by how much that may be wrong */
  clockSkewMs: number | null
  clockErrorMs: number | null
  dbBytes: number
  dbInUseBytes: number
  alarms: string[]
  /** what it tells of itself beyond etcd's calls; null for etcd */
  page: ServerPage | null
}

/** A store, looked at from here. */
export interface StoreView {
  clusterId: string
  servers: ServerView[]
  logs: {
    log: 'kv'
    /** file, quorum; raft of an etcd */
    loglet: string
    leader: string | null
    term: number
    position: number
    revision: number
    /** the last change of leaders that a server saw, and how long nobody led */
    lastChange: { at: number; from: string; to: string; gapMs: number } | null
  }[]
  durability: {
    /** `single`, `quorum 3`; with `+archive` when a server writes one */
    class: string
    voters: number
    /** failures of servers it is made to survive, and those it survives from here on; -1: it has no majority */
    survives: number
    survivesNow: number
  }
  alarms: { server: string; alarm: string }[]
}

/** What the servers said, put together; pure. */
export function storeViewOf(servers: readonly ServerView[]): StoreView {
  const there = servers.filter(({ isReachable }) => isReachable)
  const position = Math.max(0, ...there.map((server) => server.position))
  // Who lost touch goes on naming its last leader: the highest term speaks.
  const [newest] = there.toSorted((a, b) => b.term - a.term || b.position - a.position)
  const leader = there.find(({ role, term }) => role === 'leader' && term === newest?.term) ?? null
  const rows = servers.map((server) => ({
    ...server,
    role: server.role === 'leader' && server.id !== leader?.id ? ('voter' as const) : server.role,
    lag: server.isReachable ? lagOf(server, there) : null,
    sinceMs: server.isReachable ? null : (server.sinceMs ?? reportOf(there, server.id)?.sinceMs ?? null),
    why: server.isReachable ? null : server.why,
  }))
  const voters = servers.filter(({ role }) => role !== 'learner').length
  const alive = rows.filter(({ isReachable, role }) => isReachable && role !== 'learner').length
  const majority = Math.floor(voters / 2) + 1
  const names = new Map(servers.map(({ id, name }) => [id, name]))
  const nameOf = (id: string): string => names.get(id) || id
  const [lastChange] = there.flatMap(({ page }) => page?.lastChange ?? []).toSorted((a, b) => b.term - a.term || a.gapMs - b.gapMs)
  const isArchived = there.some(({ page }) => page !== null && page.archive?.trouble === null)
  const alarms = new Set(there.flatMap((server) => server.alarms))
  return {
    clusterId: there.find(({ page }) => page !== null)?.page?.clusterId ?? '',
    servers: rows,
    logs: [
      {
        log: 'kv',
        loglet: newest?.page?.log.loglet ?? (newest?.program === 'etcd' ? 'raft' : '-'),
        leader: leader === null ? null : leader.name,
        term: newest?.term ?? 0,
        position,
        revision: Math.max(0, ...there.map((server) => server.revision)),
        lastChange:
          lastChange === undefined
            ? null
            : { at: lastChange.at, from: nameOf(lastChange.from), to: nameOf(lastChange.to), gapMs: Math.round(lastChange.gapMs) },
      },
    ],
    durability: {
      class: `${voters <= 1 ? 'single' : `quorum ${voters}`}${isArchived ? '+archive' : ''}`,
      voters,
      survives: voters - majority,
      survivesNow: alive - majority,
    },
    alarms: [...alarms].toSorted().map((text) => {
      const [id = '', alarm = ''] = text.split(' ')
      return { server: nameOf(id), alarm }
    }),
  }
}

/**
 * Servers are asked one after the other while the log goes on. What it grew by between two answers is no lag, and what the clocks may be
 * wrong by is not known to be one.
 */
function lagOf(server: ServerView, there: readonly ServerView[]): number {
  const own = server.position - server.applied
  const ahead = there.reduce((most, each) => (each.position > most.position ? each : most), server)
  const [mine, its] = [saidAt(server), saidAt(ahead)]
  const grownPerMs = (ahead.page?.rates.batchesPerS ?? 0) / 1000
  const meanwhile = mine === null || its === null ? 0 : grownPerMs * Math.max(0, its.atMs - mine.atMs + its.errorMs + mine.errorMs)
  return Math.max(own, Math.floor(ahead.position - server.applied - meanwhile), 0)
}

/** When a server answered, by this machine's clock. */
function saidAt({ page, clockSkewMs, clockErrorMs }: ServerView): { atMs: number; errorMs: number } | null {
  if (page === null || clockSkewMs === null || clockErrorMs === null) return null
  return { atMs: page.now - clockSkewMs, errorMs: clockErrorMs }
}

/** What a server that is reached says of one that is not. */
function reportOf(there: readonly ServerView[], id: string): { reason: string; sinceMs: number } | null {
  for (const { page } of there) {
    const link = page?.links.find((each) => each.id === id)
    if (link !== undefined && link.reason !== null && link.sinceMs !== null) return { reason: link.reason, sinceMs: link.sinceMs }
  }
  return null
}
