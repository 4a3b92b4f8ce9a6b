import { z } from 'zod'

const quantiles = z.object({
  /** since the start */
  count: z.number(),
  /** of these the last 5 to 10 s had so many */
  recent: z.number(),
  /** of those, ms; null: nothing happened */
  p50Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
})

/** One server's connection to another; ids in hexadecimal, times in ms since the epoch. */
const peerLinkSchema = z.object({
  /** why there is no connection; null: there is one */
  reason: z.string().nullable(),
  sinceMs: z.number().nullable(),
  roundTripMs: z.number().nullable(),
  /** how much the other's clock is ahead of this one's, ± half the round trip */
  clockSkewMs: z.number().nullable(),
})

const leaderChangeSchema = z.object({
  at: z.number(),
  from: z.string(),
  to: z.string(),
  term: z.number(),
  /** from when this server knew of no leader, until it saw the first entry of the next one */
  gapMs: z.number(),
})

/** Where a server archives its log, and how far it is. */
const archiveSchema = z.object({
  to: z.string(),
  everyMs: z.number(),
  /** the last position that is archived; 0: none; null: not looked at since the start */
  archived: z.number().nullable(),
  /** positions that are not archived yet, and how long the oldest of them has been there */
  behind: z.number(),
  behindMs: z.number(),
  /** why it does not go on; null: it does */
  trouble: z.string().nullable(),
})

/** All that a server of the store knows of itself, as it tells at `SERVER_PAGE_PATH`. */
export const serverPageSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  id: z.string(),
  clusterId: z.string(),
  version: z.string(),
  region: z.string().nullable(),
  /** this server's clock when it answered */
  now: z.number(),
  startedAt: z.number(),
  leader: z.string().nullable(),
  term: z.number(),
  log: z.object({
    loglet: z.string(),
    head: z.number(),
    tail: z.number(),
    applied: z.number(),
    waiting: z.number(),
    /** why nothing is applied any more, DELOS_POISON; null: it goes on */ refusal: z.string().nullable().default(null),
  }),
  store: z.object({ revision: z.number(), compactRevision: z.number(), keys: z.number(), leases: z.number(), quotaBytes: z.number() }),
  watch: z.object({ watchers: z.number(), streams: z.number(), behind: z.number() }),
  rows: z.object({ bytes: z.number(), inUseBytes: z.number(), backlogBytes: z.number(), durablePosition: z.number() }),
  /** of the file system that the data is on */
  disk: z.object({ freeBytes: z.number(), totalBytes: z.number() }).nullable(),
  sync: quantiles,
  commit: quantiles,
  rates: z.object({ entriesPerS: z.number(), batchesPerS: z.number(), readsPerS: z.number() }),
  batches: z.number(),
  entries: z.number(),
  bytes: z.number(),
  failed: z.number(),
  slowReads: z.number(),
  readsConfirmed: z.number(),
  /** answers `ResourceExhausted`: a queue or the space was full */
  boundsHit: z.number(),
  loopDelayP99Ms: z.number(),
  residentBytes: z.number(),
  connections: z.number(),
  members: z.array(z.object({ id: z.string(), name: z.string(), peerUrls: z.array(z.string()), clientUrls: z.array(z.string()) })),
  links: z.array(peerLinkSchema.extend({ id: z.string() })),
  leaderChanges: z.number(),
  lastChange: leaderChangeSchema.nullable(),
  alarms: z.array(z.object({ id: z.string(), alarm: z.string() })),
  hot: z.array(z.object({ prefix: z.string(), share: z.number(), count: z.number() })),
  /** ms since the epoch at which a certificate ends; null: none */
  /** null: nowhere; servers of before there were archives do not say it */
  archive: archiveSchema.nullable().default(null),
  /** where its log could not be read when it started, and whether what the other servers have is in its place */
  repairs: z.array(z.object({ file: z.string(), offset: z.number(), isRepaired: z.boolean() })).default([]),
  certificates: z.object({ client: z.number().nullable(), peer: z.number().nullable() }),
})

export type ServerPage = z.output<typeof serverPageSchema>
export type ArchiveState = z.output<typeof archiveSchema>
export type PeerLink = z.output<typeof peerLinkSchema>
export type LeaderChange = z.output<typeof leaderChangeSchema>
