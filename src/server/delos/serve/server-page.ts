import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Histogram } from '../../../core/delos/measure/histogram.ts'
import { ALARM_NAMES } from '../../../core/delos/measure/names.ts'
import type { ServerPage } from '../../../core/delos/measure/server-page.ts'
import type { Member } from '../../../core/delos/wire/messages.ts'
import { packageRoot } from '../../../platform/spawn.ts'
import { printable, type MetricsSource } from './metrics.ts'
import type { ServeOptions } from './options.ts'

export interface ServerPageSource extends MetricsSource {
  options: Pick<ServeOptions, 'name' | 'dataDir' | 'self' | 'members' | 'clusterId' | 'quotaBytes' | 'clientTls' | 'peerTls' | 'region'>
  members: () => Member[]
  /** kind of the loglet that takes appends */
  loglet: () => string
  /** left out: a log that is never repaired */
  repairs?: () => ServerPage['repairs']
  /** servers that are not reached, and why */
  troubles: () => { id: bigint; reason: string; sinceMs: number }[]
}

const HOT_MAX = 10
const hex = (id: bigint): string => id.toString(16)

/** All that this server knows of itself and of the others, for `delos status` and `delos top`. */
export async function serverPage(source: ServerPageSource): Promise<ServerPage> {
  const { replica, materialiser, counters, measures, options } = source
  const { store, log } = replica
  const role = log.role()
  const size = materialiser.size()
  const rates = measures.rates()
  const troubles = source.troubles()
  return {
    format: 1,
    name: options.name,
    id: hex(options.self.id),
    clusterId: hex(options.clusterId),
    version: VERSION,
    region: options.region ?? null,
    now: Date.now(),
    startedAt: measures.startedAt,
    leader: role.leader === null ? null : hex(role.leader),
    term: role.term,
    log: {
      loglet: source.loglet(),
      head: log.head(),
      tail: log.tail(),
      applied: replica.applied,
      waiting: replica.waiting,
      refusal: replica.refusal?.text ?? null,
    },
    store: {
      revision: store.revision,
      compactRevision: store.compactRevision,
      keys: store.keyCount,
      leases: counters.leases(),
      quotaBytes: options.quotaBytes,
    },
    watch: { watchers: counters.watchers(), streams: counters.watchStreams(), behind: counters.watchersBehind() },
    rows: {
      bytes: Math.max(size.bytes, store.sizeBytes),
      inUseBytes: store.sizeBytes,
      backlogBytes: materialiser.backlogBytes(),
      durablePosition: materialiser.durablePosition(),
    },
    disk: await diskOf(options.dataDir),
    sync: quantilesOf(measures.sync),
    commit: quantilesOf(measures.commit),
    rates: { entriesPerS: rates.entries, batchesPerS: rates.batches, readsPerS: rates.reads },
    batches: measures.batches,
    entries: measures.entries,
    bytes: measures.bytes,
    failed: measures.failed,
    slowReads: measures.slowReads,
    readsConfirmed: replica.readsConfirmed,
    boundsHit: measures.answered(8),
    loopDelayP99Ms: measures.loop.percentile(99) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    connections: source.ports().reduce((sum, { connections }) => sum + connections, 0),
    members: source.members().map(({ ID, name, peerURLs, clientURLs }) => ({
      id: hex(ID),
      name,
      peerUrls: peerURLs,
      clientUrls: clientURLs,
    })),
    links: options.members
      .filter(({ id }) => id !== options.self.id)
      .map(({ id }) => {
        const trouble = troubles.find((each) => each.id === id)
        const link = trouble === undefined ? measures.links.get(id) : undefined
        return {
          id: hex(id),
          reason: trouble?.reason ?? null,
          sinceMs: trouble?.sinceMs ?? null,
          roundTripMs: link?.roundTripMs ?? null,
          clockSkewMs: link?.clockSkewMs ?? null,
        }
      }),
    leaderChanges: measures.leaderChanges,
    lastChange: measures.lastChange,
    alarms: store.alarms(0).map(({ memberID, alarm }) => ({ id: hex(memberID), alarm: ALARM_NAMES[alarm] ?? String(alarm) })),
    hot: measures.prefixes.top(HOT_MAX).map((hot) => ({ ...hot, prefix: printable(hot.prefix) })),
    archive: source.archive?.() ?? null,
    repairs: source.repairs?.() ?? [],
    certificates: { client: await endOf(options.clientTls?.certFile), peer: await endOf(options.peerTls?.certFile) },
  }
}

const VERSION = (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version

function quantilesOf(histogram: Histogram): ServerPage['sync'] {
  const ms = (share: number): number | null => {
    const seconds = histogram.recentQuantile(share)
    return seconds === null ? null : seconds * 1000
  }
  return { count: histogram.count, recent: histogram.recentCount(), p50Ms: ms(0.5), p99Ms: ms(0.99) }
}

async function diskOf(dir: string): Promise<ServerPage['disk']> {
  const { bavail, blocks, bsize } = await statfs(dir)
  // Some file systems do not say.
  return blocks === 0 ? null : { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** When a certificate ends, ms since the epoch; null: there is none, or it cannot be read. */
async function endOf(file: string | undefined): Promise<number | null> {
  if (file === undefined) return null
  try {
    return new X509Certificate(await readFile(file)).validToDate.getTime()
  } catch {
    return null // a renewal may be writing it this moment
  }
}
