import type { ServerView } from '../../src/cli/delos/store-view.ts'
import type { ServerPage } from '../../src/core/delos/measure/server-page.ts'

export const NOW = 1_790_000_000_000

/** What a quiet server of three tells; its id is `id-NAME`. */
export function pageOf(name: string, more: Partial<ServerPage> = {}): ServerPage {
  return {
    format: 1,
    name,
    id: `id-${name}`,
    clusterId: 'cluster',
    version: '0.1.0',
    region: null,
    now: NOW,
    startedAt: NOW - 3_600_000,
    leader: 'id-b',
    term: 2,
    log: { loglet: 'quorum', head: 1, tail: 101, applied: 100, waiting: 0, refusal: null },
    store: { revision: 90, compactRevision: -1, keys: 10, leases: 2, quotaBytes: 2 ** 31 },
    watch: { watchers: 3, streams: 1, behind: 0 },
    rows: { bytes: 4096, inUseBytes: 2048, backlogBytes: 0, durablePosition: 100 },
    disk: { freeBytes: 10 ** 11, totalBytes: 10 ** 12 },
    sync: { count: 100, recent: 100, p50Ms: 0.2, p99Ms: 1 },
    commit: { count: 100, recent: 100, p50Ms: 0.4, p99Ms: 2 },
    rates: { entriesPerS: 120, batchesPerS: 40, readsPerS: 5 },
    batches: 100,
    entries: 300,
    bytes: 30_000,
    failed: 0,
    slowReads: 0,
    readsConfirmed: 0,
    boundsHit: 0,
    loopDelayP99Ms: 21,
    residentBytes: 2 ** 27,
    connections: 4,
    members: [],
    links: [],
    leaderChanges: 1,
    lastChange: null,
    alarms: [],
    hot: [
      { prefix: '/registry/pods/', share: 0.6, count: 60 },
      { prefix: 'app/', share: 0.4, count: 40 },
    ],
    archive: null,
    repairs: [],
    certificates: { client: null, peer: null },
    ...more,
  }
}

export function serverOf(name: string, more: Partial<ServerView> = {}): ServerView {
  return {
    id: `id-${name}`,
    name,
    endpoint: `http://${name}:2379`,
    role: 'voter',
    region: null,
    isReachable: true,
    why: null,
    sinceMs: null,
    program: 'muster',
    version: '0.1.0',
    term: 2,
    position: 100,
    applied: 100,
    lag: null,
    revision: 90,
    syncP50Ms: 0.2,
    syncP99Ms: 1,
    clockSkewMs: 0,
    clockErrorMs: 1,
    dbBytes: 4096,
    dbInUseBytes: 2048,
    alarms: [],
    page: pageOf(name),
    ...more,
  }
}
