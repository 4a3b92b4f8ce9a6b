import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Materialiser } from '../store/materialiser.ts'
import type { Replica } from '../store/replica.ts'

export interface MetricsSource {
  replica: Replica
  materialiser: Materialiser
  counters: Counters
}

/** What is counted as it happens. */
export interface Counters {
  leaderChanges: number
  watchers: () => number
  watchStreams: () => number
  leases: () => number
}

const loop = monitorEventLoopDelay({ resolution: 20 })
loop.enable()

/** Prometheus' text format (0.0.4). Names that etcd's dashboards use are etcd's; ours begin with `muster_delos_`. */
export function metricsText({ replica, materialiser, counters }: MetricsSource): string {
  const { store, log } = replica
  const role = log.role()
  const sync = log.syncStats()
  const lines: string[] = []
  const say = (name: string, kind: 'gauge' | 'counter', help: string, value: number): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, `${name} ${value}`)
  }
  say('etcd_server_has_leader', 'gauge', 'Whether or not a leader exists. 1 is existence, 0 is not.', role.leader === null ? 0 : 1)
  say('etcd_server_is_leader', 'gauge', 'Whether or not this member is a leader. 1 if is, 0 otherwise.', role.isLeader ? 1 : 0)
  say('etcd_server_leader_changes_seen_total', 'counter', 'The number of leader changes seen.', counters.leaderChanges)
  say('etcd_server_proposals_committed_total', 'gauge', 'The total number of consensus proposals committed.', log.tail() - 1)
  say('etcd_server_proposals_applied_total', 'gauge', 'The total number of consensus proposals applied.', replica.applied)
  say('etcd_server_proposals_pending', 'gauge', 'The current number of pending proposals to commit.', replica.waiting)
  say(
    'etcd_mvcc_db_total_size_in_bytes',
    'gauge',
    'Total size of the underlying database physically allocated in bytes.',
    materialiser.size().bytes,
  )
  say(
    'etcd_mvcc_db_total_size_in_use_in_bytes',
    'gauge',
    'Total size of the underlying database logically in use in bytes.',
    store.sizeBytes,
  )
  say('etcd_debugging_mvcc_keys_total', 'gauge', 'Total number of keys.', store.keyCount)
  say('etcd_debugging_mvcc_current_revision', 'gauge', 'The current revision of store.', store.revision)
  say('etcd_debugging_mvcc_compact_revision', 'gauge', 'The revision of the last compaction in store.', store.compactRevision)
  say('etcd_debugging_mvcc_watcher_total', 'gauge', 'Total number of watchers.', counters.watchers())
  say('etcd_debugging_mvcc_watch_stream_total', 'gauge', 'Total number of watch streams.', counters.watchStreams())
  say(
    'muster_delos_sync_seconds_p50',
    'gauge',
    'Seconds of a write of the log with its fdatasync, median of the last 256.',
    sync.p50Ms / 1000,
  )
  say('muster_delos_sync_seconds_p99', 'gauge', 'The same, 99th percentile.', sync.p99Ms / 1000)
  say('muster_delos_leases', 'gauge', 'Leases that are kept alive.', counters.leases())
  say(
    'muster_delos_reads_confirmed_total',
    'counter',
    'Reads that no lease covered, so that other servers were asked.',
    replica.readsConfirmed,
  )
  say('muster_delos_rows_backlog_bytes', 'gauge', 'Bytes of rows that wait to be written to kv.db.', materialiser.backlogBytes())
  say('muster_delos_rows_durable_position', 'gauge', 'Position up to which kv.db is on the disk.', materialiser.durablePosition())
  say(
    'muster_delos_event_loop_delay_seconds_p99',
    'gauge',
    'How long a turn of the event loop was late, 99th percentile.',
    loop.percentile(99) / 1e9,
  )
  say('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', process.memoryUsage.rss())
  return `${lines.join('\n')}\n`
}
