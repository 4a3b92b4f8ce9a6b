import { statfs } from 'node:fs/promises'
import { ALARMS, type AlarmSoft } from '../../core/delos/alarms/controller.ts'
import { continued, lowSpace, slowDisk } from '../../core/delos/alarms/conditions.ts'
import { Histogram } from '../../core/delos/measure/histogram.ts'
import type { ServerHost } from '../host.ts'
import type { ControlDigests } from './control-digests.ts'
import type { Logs } from './log-views.ts'
import { watchStore, type StoreWatch } from './store-watch.ts'

/** What the control plane's own logs do, a row a second each, and what is wrong with their disk. */
export interface LogMeter {
  /** told each write of a log with its fdatasync, ms */
  onSync: (log: keyof Logs) => (ms: number) => void
  soft: () => AlarmSoft
  start: (host: ServerHost, logs: Logs, dir: string, states: Pick<ControlDigests, 'seen' | 'agreedPosition'>) => void
  stop: () => void
}

const LOGS = ['control', 'kv'] as const
const ROW_MS = 1000
/** Quantiles are of the last one to two of these. */
const TURN_MS = 30_000

/** @param endpoints servers of a store that is watched too */
export function createLogMeter(endpoints: readonly string[] = []): LogMeter {
  const syncs = { control: new Histogram(), kv: new Histogram() }
  const stops: (() => void)[] = []
  let conditions: AlarmSoft['conditions'] = null
  let store: StoreWatch | null = null
  const before = new Map<string, number>()

  const quantileMs = (log: (typeof LOGS)[number], share: number): number | null => {
    const seconds = syncs[log].recentQuantile(share)
    return seconds === null ? null : seconds * 1000
  }

  const look = async (...[host, logs, dir, states]: Parameters<LogMeter['start']>): Promise<void> => {
    const { bavail, bsize, blocks } = await statfs(dir)
    const freeBytes = blocks === 0 ? null : bavail * bsize
    for (const log of LOGS) {
      const count = syncs[log].count
      const tail = logs[log].tail()
      host.telemetry('muster_delos', {
        log,
        server: 'control-plane',
        position: tail - 1,
        entries: tail - (before.get(`${log} tail`) ?? tail),
        batches: count - (before.get(`${log} batches`) ?? 0),
        sync_p50_ms: quantileMs(log, 0.5),
        sync_p99_ms: quantileMs(log, 0.99),
        disk_free_bytes: freeBytes,
        ...(log === 'control' ? { compared_position: states.agreedPosition() } : {}),
      })
      before.set(`${log} tail`, tail).set(`${log} batches`, count)
    }
    const ofStore = store === null ? [] : store.seen()
    const ofStates = states.seen()
    if (ofStore === null || ofStates === null) return
    const seen = [
      ...ofStore,
      ...ofStates,
      ...LOGS.flatMap((log) => slowDisk(log, { recent: syncs[log].recentCount(), p99Ms: quantileMs(log, 0.99) })),
      ...lowSpace('log', freeBytes),
    ]
    const after = continued(conditions ?? [], seen, host.now())
    const isNews =
      conditions === null || after.length !== conditions.length || after.some(({ since }, i) => since !== conditions?.[i]?.since)
    conditions = after
    if (isNews) host.wake(ALARMS)
  }

  return {
    onSync: (log) => (ms) => syncs[log].note(ms / 1000),
    soft: () => ({ conditions }),
    start: (host, logs, dir, states) => {
      if (endpoints.length > 0) {
        const watching = watchStore(endpoints, host.telemetry)
        store = watching
        stops.push(watching.stop)
      }
      before.clear()
      const looking = setInterval(() => {
        look(host, logs, dir, states).catch((error: unknown) => host.log.warn('the logs cannot be looked at', { error: String(error) }))
      }, ROW_MS)
      const turning = setInterval(() => {
        for (const log of LOGS) syncs[log].turn()
      }, TURN_MS)
      for (const timer of [looking, turning]) timer.unref()
      stops.push(
        () => clearInterval(looking),
        () => clearInterval(turning),
      )
    },
    stop: () => {
      for (const stop of stops.splice(0)) stop()
    },
  }
}
