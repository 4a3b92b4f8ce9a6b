import type { ReadDb } from '../../core/contracts/storage.ts'
import { ROUND_TRIP_BOUNDS_S } from '../../core/delos/measure/histogram.ts'
import { tallyRows } from '../../core/tw/tasks/tally.ts'
import type { TableInfo } from '../../core/scuba/wire-types.ts'
import type { Telemetry } from '../scuba/telemetry.ts'
import type { Measured, Measures } from './measures.ts'
import { MetricsText, type Labels } from './text.ts'

export interface ExpositionSource {
  measures: Measures
  db: ReadDb
  /** position after the last entry of the control log */
  position: number
  isLeading: boolean
  telemetry: ReturnType<Telemetry['stats']>
  /** null: the leaf does not answer */
  tables: readonly TableInfo[] | null
  /** of this server's leaf since it started: questions to copies in place of slow or silent leaves, and answers that came from them */
  byCopy: { asked: number; answered: number }
}

/** `GET /metrics`: what the control plane does, in Prometheus' text format, for programs that scrape. The same is in the `muster_…` tables. */
export function expositionText(source: ExpositionSource): string {
  const text = new MetricsText()
  sayWork(text, source.measures)
  sayFleet(text, source)
  sayStore(text, source)
  sayProcess(text, source)
  return text.toString()
}

function sayWork(text: MetricsText, { operations, controllers, effects }: Measures): void {
  for (const [name, label, what, all] of [
    ['muster_operation', 'operation', 'Operations asked of this server', operations],
    ['muster_controller_cycle', 'controller', 'Cycles of a controller that decided something or failed', controllers],
    ['muster_effect', 'kind', 'Runs of an effect', effects],
  ] as const) {
    const labelled = [...all].map(([key, measured]): [Labels, Measured] => [{ [label]: key }, measured])
    text.many(
      `${name}s_total`,
      'counter',
      `${what}, by how it ended.`,
      labelled.flatMap(([labels, { outcomes }]) => [...outcomes].map(([outcome, count]) => [{ ...labels, outcome }, count] as const)),
    )
    const durations = labelled.map(([labels, measured]) => [labels, measured.durations] as const)
    text.histograms(`${name}_duration_seconds`, `${what}: seconds each took.`, durations, ROUND_TRIP_BOUNDS_S)
  }
}

const TASKS = {
  active: 'Tasks that have a place and are not over.',
  running: 'Tasks whose process runs.',
  ready: 'Tasks that run and are healthy.',
}

/** Counts that the state keeps already: nothing here walks over tasks. */
function sayFleet(text: MetricsText, { db, position, isLeading }: ExpositionSource): void {
  text.gauge('muster_leads', 'Whether this server leads the fleet. 1 if it does, 0 if not.', isLeading ? 1 : 0)
  text.counter('muster_log_entries_total', 'Entries in the control log.', position - 1)
  const nodes = db.all<{ state: string; nodes: number }>('SELECT state, count(*) AS nodes FROM tw_node GROUP BY state')
  text.many(
    'muster_nodes',
    'gauge',
    'Nodes, by state.',
    nodes.map(({ state, nodes: count }) => [{ state }, count]),
  )
  const jobs = new Map<string, { active: number; running: number; ready: number }>()
  for (const { job, active, running, ready } of tallyRows(db)) {
    const sum = jobs.get(job) ?? { active: 0, running: 0, ready: 0 }
    jobs.set(job, { active: sum.active + active, running: sum.running + running, ready: sum.ready + ready })
  }
  for (const state of ['active', 'running', 'ready'] as const)
    text.many(
      `muster_tasks_${state}`,
      'gauge',
      TASKS[state],
      [...jobs].map(([job, sum]) => [{ job }, sum[state]]),
    )
  const incidents = db.all<{ level: number; n: number }>(
    'SELECT level, count(*) AS n FROM sev_incident WHERE resolved_at IS NULL AND closed_at IS NULL GROUP BY level',
  )
  text.many(
    'muster_sevs_open',
    'gauge',
    'Incidents that are not resolved, by level.',
    incidents.map(({ level, n }) => [{ level: String(level) }, n]),
  )
  const alerts = db.all<{ rule: string; state: string; n: number }>(
    'SELECT rule, state, count(*) AS n FROM scuba_alert_state GROUP BY rule, state',
  )
  text.many(
    'muster_scuba_alerts',
    'gauge',
    'Groups of alert rules that are not inactive, by state.',
    alerts.map(({ rule, state, n }) => [{ rule, state }, n]),
  )
}

function sayStore(text: MetricsText, { tables, telemetry, byCopy }: ExpositionSource): void {
  text.gauge('muster_scuba_up', 'Whether the leaf of this server answers. 1 if it does, 0 if not.', tables === null ? 0 : 1)
  const each = (of: (table: TableInfo) => number): [Labels, number][] => (tables ?? []).map((table) => [{ table: table.name }, of(table)])
  text.many(
    'muster_scuba_table_rows',
    'gauge',
    'Rows of a table, sealed or not.',
    each(({ rows }) => rows),
  )
  text.many(
    'muster_scuba_table_bytes',
    'gauge',
    'Bytes of a table on the disk.',
    each(({ bytes }) => bytes),
  )
  text.many(
    'muster_scuba_table_segments',
    'gauge',
    'Segments of a table.',
    each(({ segments }) => segments),
  )
  text.counter('muster_scuba_copies_asked_total', 'Questions to copies in place of leaves that were slow or away.', byCopy.asked)
  text.counter('muster_scuba_copies_answered_total', 'Answers that came from a copy first.', byCopy.answered)
  text.counter('muster_telemetry_rows_total', "Rows of muster's own telemetry that were sent to the leaf.", telemetry.sent)
  text.counter('muster_telemetry_dropped_total', 'Rows of it that had to be dropped.', telemetry.dropped)
  text.gauge('muster_telemetry_waiting', 'Rows of it that wait.', telemetry.waiting)
}

function sayProcess(text: MetricsText, { measures }: ExpositionSource): void {
  const { user, system } = process.cpuUsage()
  text.counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', (user + system) / 1e6)
  text.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', process.memoryUsage.rss())
  text.gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', measures.startedAt / 1000)
  text.gauge(
    'muster_event_loop_delay_seconds_p99',
    'How late the event loop was, 99th percentile since the start.',
    measures.loop.percentile(99) / 1e9,
  )
}
