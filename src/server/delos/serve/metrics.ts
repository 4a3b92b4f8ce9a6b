import { DISK_BOUNDS_S, ROUND_TRIP_BOUNDS_S } from '../../../core/delos/measure/histogram.ts'
import { STATUS } from '../../../core/delos/wire/grpc/status.ts'
import type { ArchiveState } from '../../../core/delos/measure/server-page.ts'
import type { EtcdPortStats } from '../etcd/port.ts'
import type { PeerQueue } from '../quorum/peers.ts'
import type { Materialiser } from '../store/materialiser.ts'
import type { Replica } from '../store/replica.ts'
import { MetricsText, type Labels } from '../../metrics/text.ts'
import type { Measures } from './measures.ts'

export interface MetricsSource {
  replica: Replica
  materialiser: Materialiser
  counters: Counters
  measures: Measures
  ports: () => EtcdPortStats[]
  /** of a server among others */
  queues?: () => ServerQueues
  /** where the log is archived; left out or null: nowhere */
  archive?: () => ArchiveState | null
}

/** What waits for another server, or is kept for one. */
export interface ServerQueues {
  peers: PeerQueue[]
  /** appends that wait for a loglet that takes them */
  parked: number
  /** frames for loglets that are not open here yet */
  earlyBytes: number
  /** batches in memory for servers that lag a little, or for whoever reads a loglet of others */
  keptBytes: number
  /** parts of a snapshot that came and were not looked at yet */
  snapshotBytes: number
}

/** What the services know. */
export interface Counters {
  watchers: () => number
  watchersBehind: () => number
  /** revisions, of the one furthest behind */
  watchesBehindBy: () => number
  watchWaitingBytes: () => number
  watchStreams: () => number
  leases: () => number
  rangeStreams: () => number
  /** slices of long readings and streams that wait for their turn */
  longReads: () => number
  /** bytes that long readings have found so far */
  longReadBytes: () => number
}

const HOT_MAX = 10

/** As Go prints gRPC's codes, in their order. */
const CODE_NAMES = Object.keys(STATUS).map((name) =>
  name === 'ok' ? 'OK' : name === 'cancelled' ? 'Canceled' : name.charAt(0).toUpperCase() + name.slice(1),
)

/** Names that etcd's dashboards use are etcd's; ours begin with `muster_delos_`. */
export function metricsText(source: MetricsSource): string {
  const text = new MetricsText()
  sayServer(text, source)
  sayStore(text, source)
  sayDisk(text, source)
  sayCalls(text, source)
  sayOurs(text, source)
  sayQueues(text, source)
  sayArchive(text, source.archive?.() ?? null)
  return text.toString()
}

function sayServer(text: MetricsText, { replica, measures }: MetricsSource): void {
  const { log } = replica
  const role = log.role()
  text.gauge('etcd_server_has_leader', 'Whether or not a leader exists. 1 is existence, 0 is not.', role.leader === null ? 0 : 1)
  text.gauge('etcd_server_is_leader', 'Whether or not this member is a leader. 1 if is, 0 otherwise.', role.isLeader ? 1 : 0)
  text.counter('etcd_server_leader_changes_seen_total', 'The number of leader changes seen.', measures.leaderChanges)
  text.gauge('etcd_server_proposals_committed_total', 'The total number of consensus proposals committed.', log.tail() - 1)
  text.gauge('etcd_server_proposals_applied_total', 'The total number of consensus proposals applied.', replica.applied)
  text.gauge('etcd_server_proposals_pending', 'The current number of pending proposals to commit.', replica.waiting)
  text.counter('etcd_server_proposals_failed_total', 'The total number of failed proposals seen.', measures.failed)
  text.counter('etcd_server_slow_read_indexes_total', 'The total number of pending read indexes not in sync.', measures.slowReads)
}

function sayStore(text: MetricsText, { replica, materialiser, counters }: MetricsSource): void {
  const { store } = replica
  text.gauge(
    'etcd_mvcc_db_total_size_in_bytes',
    'Total size of the underlying database physically allocated in bytes.',
    materialiser.size().bytes,
  )
  text.gauge('etcd_mvcc_db_total_size_in_use_in_bytes', 'Total size of the underlying database logically in use in bytes.', store.sizeBytes)
  text.gauge('etcd_debugging_mvcc_keys_total', 'Total number of keys.', store.keyCount)
  text.gauge('etcd_debugging_mvcc_current_revision', 'The current revision of store.', store.revision)
  text.gauge('etcd_debugging_mvcc_compact_revision', 'The revision of the last compaction in store.', store.compactRevision)
  text.gauge('etcd_debugging_mvcc_watcher_total', 'Total number of watchers.', counters.watchers())
  text.gauge('etcd_debugging_mvcc_slow_watcher_total', 'Total number of unsynced slow watchers.', counters.watchersBehind())
  text.gauge('etcd_debugging_mvcc_watch_stream_total', 'Total number of watch streams.', counters.watchStreams())
}

function sayDisk(text: MetricsText, { measures }: MetricsSource): void {
  text.histogram('etcd_disk_wal_fsync_duration_seconds', 'The latency distributions of fsync called by WAL.', measures.sync, DISK_BOUNDS_S)
  text.histogram(
    'etcd_disk_backend_commit_duration_seconds',
    'The latency distributions of commit called by backend.',
    measures.commit,
    DISK_BOUNDS_S,
  )
  text.histogram(
    'etcd_network_peer_round_trip_time_seconds',
    'Round-Trip-Time histogram between peers.',
    measures.roundTrips,
    ROUND_TRIP_BOUNDS_S,
  )
}

function sayCalls(text: MetricsText, { measures, ports }: MetricsSource): void {
  text.many(
    'grpc_server_handled_total',
    'counter',
    'Total number of RPCs completed on the server, regardless of success or failure.',
    [...measures.handled()].map(({ service, method, code, count }) => [
      { grpc_code: CODE_NAMES[code] ?? 'Unknown', grpc_method: method, grpc_service: service, grpc_type: 'unary' },
      count,
    ]),
  )
  const all = ports()
  const sum = (of: (stats: EtcdPortStats) => number): number => all.reduce((total, stats) => total + of(stats), 0)
  text.gauge(
    'muster_delos_connections',
    'gRPC connections open now.',
    sum(({ connections }) => connections),
  )
  text.gauge(
    'muster_delos_answers_queued_bytes',
    'Bytes of answers that wait for a reader.',
    sum(({ heldBytes }) => heldBytes),
  )
  text.many(
    'muster_delos_connections_broken_total',
    'counter',
    'Connections closed for breaking the protocol or its bounds.',
    all.flatMap(({ failures }) => Object.entries(failures).map(([reason, count]) => [{ reason }, count] as const)),
  )
}

function sayOurs(text: MetricsText, { replica, materialiser, counters, measures }: MetricsSource): void {
  const sync = replica.log.syncStats()
  text.gauge(
    'muster_delos_sync_seconds_p50',
    'Seconds of a write of the log with its fdatasync, median of the last 256.',
    sync.p50Ms / 1000,
  )
  text.gauge('muster_delos_sync_seconds_p99', 'The same, 99th percentile.', sync.p99Ms / 1000)
  text.quantiles('muster_delos_commit_seconds', 'Seconds from asking for a batch until it was committed and applied,', measures.commit)
  text.counter('muster_delos_batches_total', 'Batches committed: one position of the log and one write each.', measures.batches)
  text.counter('muster_delos_entries_total', 'Changes committed, of any server.', measures.entries)
  text.counter('muster_delos_batch_bytes_total', 'Bytes of the batches committed.', measures.bytes)
  text.counter('muster_delos_reads_total', 'Ranges asked of this server.', measures.reads)
  text.counter(
    'muster_delos_slow_reads_total',
    'Ranges that took over 100 ms; of those answered at once one in 16 is timed.',
    measures.slowReads,
  )
  text.counter('muster_delos_bounds_hit_total', 'Answers ResourceExhausted: a queue or the space was full.', measures.answered(8))
  text.gauge('muster_delos_leases', 'Leases that are kept alive.', counters.leases())
  text.counter(
    'muster_delos_reads_confirmed_total',
    'Reads that no lease covered, so that other servers were asked.',
    replica.readsConfirmed,
  )
  text.gauge('muster_delos_lag_positions', 'Positions committed and not applied here yet.', replica.log.tail() - 1 - replica.applied)
  if (measures.lastChange !== null)
    text.gauge(
      'muster_delos_leader_gap_seconds',
      'Length of the last time without a leader, as seen here.',
      measures.lastChange.gapMs / 1000,
    )
  text.gauge('muster_delos_rows_backlog_bytes', 'Bytes of rows that wait to be written to kv.db.', materialiser.backlogBytes())
  text.gauge('muster_delos_rows_durable_position', 'Position up to which kv.db is on the disk.', materialiser.durablePosition())
  text.gauge(
    'muster_delos_event_loop_delay_seconds_p99',
    'How long a turn of the event loop was late, 99th percentile of the last seconds.',
    measures.loop.percentile(99) / 1e9,
  )
  text.many(
    'muster_delos_hot_prefix_share',
    'gauge',
    'Share of the changes, by sampling, that fell to keys with a prefix.',
    measures.prefixes.top(HOT_MAX).map(({ prefix, share }) => [{ prefix: printable(prefix) }, share]),
  )
  text.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', process.memoryUsage.rss())
  text.gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', measures.startedAt / 1000)
}

/** What waits for somebody: each has a bound, past which it is refused, left behind or cut off. */
function sayQueues(text: MetricsText, { replica, counters, ports, queues }: MetricsSource): void {
  const sum = (of: (stats: EtcdPortStats) => number): number => ports().reduce((total, stats) => total + of(stats), 0)
  text.gauge(
    'muster_delos_client_sockets',
    'TCP connections of clients open now, of any protocol.',
    sum(({ sockets }) => sockets),
  )
  text.gauge(
    'muster_delos_client_streams',
    'gRPC calls and streams open now.',
    sum(({ streams }) => streams),
  )
  text.gauge(
    'muster_delos_requests_pending_bytes',
    'Bytes of requests that wait for their answer.',
    sum(({ pendingBytes }) => pendingBytes),
  )
  text.gauge('muster_delos_long_reads_waiting', 'Long readings and streams of keys that wait for their next slice.', counters.longReads())
  text.gauge('muster_delos_long_reads_bytes', 'Bytes of answers that are being put together in slices.', counters.longReadBytes())
  text.gauge('muster_delos_range_streams', 'Streams of keys that are open now.', counters.rangeStreams())
  text.gauge('muster_delos_watch_waiting_bytes', 'Bytes of events that wait for slow readers of watches.', counters.watchWaitingBytes())
  text.gauge('muster_delos_watch_behind_revisions', 'Revisions that the watch furthest behind has yet to see.', counters.watchesBehindBy())
  text.gauge(
    'muster_delos_native_connections',
    'Connections of the batching client open now.',
    sum(({ natives }) => natives),
  )
  text.gauge(
    'muster_delos_native_pending_bytes',
    'Bytes of requests of the batching client that wait for their answer.',
    sum(({ nativePendingBytes }) => nativePendingBytes),
  )
  text.gauge(
    'muster_delos_header_blocks_kept',
    'Header blocks of requests that are known byte for byte, of all connections.',
    sum(({ headerBlocks }) => headerBlocks),
  )
  text.gauge('muster_delos_proposers_kept', 'Servers, in each of their lives, whose last batches are told apart.', replica.proposers)
  if (queues === undefined) return
  const { peers, parked, earlyBytes, keptBytes, snapshotBytes } = queues()
  text.gauge('muster_delos_batches_kept_bytes', 'Bytes of batches kept in memory for who comes later.', keptBytes)
  text.gauge('muster_delos_early_frames_bytes', 'Bytes of frames for loglets that are not open here yet.', earlyBytes)
  text.gauge('muster_delos_snapshot_inbox_bytes', 'Bytes of a snapshot that came and were not looked at yet.', snapshotBytes)
  text.gauge('muster_delos_appends_parked', 'Batches that wait for a loglet that takes them, as while the log is switched.', parked)
  const byPeer = (of: (queue: PeerQueue) => number): [Labels, number][] =>
    peers.map((queue) => [{ peer: queue.id.toString(16) }, of(queue)])
  text.many(
    'muster_delos_peer_waiting_bytes',
    'gauge',
    'Bytes that wait to be sent to another server.',
    byPeer(({ waitingBytes }) => waitingBytes),
  )
  text.many(
    'muster_delos_peer_frames_missed_total',
    'counter',
    'Frames that another server was not sent: it was away, or too much waited for it.',
    byPeer(({ missed }) => missed),
  )
}

function sayArchive(text: MetricsText, archive: ArchiveState | null): void {
  if (archive === null) return
  text.gauge('muster_delos_archive_position', 'Position up to which the log is archived.', archive.archived ?? 0)
  text.gauge('muster_delos_archive_behind_positions', 'Positions that are not archived yet.', archive.behind)
  text.gauge('muster_delos_archive_behind_seconds', 'How long the oldest of them has been there.', archive.behindMs / 1000)
  text.gauge(
    'muster_delos_archive_failing',
    'Whether the last try to archive failed. 1 is failing, 0 is not.',
    archive.trouble === null ? 0 : 1,
  )
}

/** A key is bytes, one char each: as UTF-8, if it is that. */
export function printable(key: string): string {
  return Buffer.from(key, 'latin1')
    .toString('utf8')
    .replaceAll(/[\p{Cc}\uFFFD]/gu, '·')
}
