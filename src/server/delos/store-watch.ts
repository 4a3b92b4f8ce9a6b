import { conditionsOfStore, type Seen } from '../../core/delos/alarms/conditions.ts'
import { SERVER_PAGE_PATH } from '../../core/delos/measure/names.ts'
import { serverPageSchema, type ServerPage } from '../../core/delos/measure/server-page.ts'
import type { ServerHost } from '../host.ts'

/** The servers of a store of ours, looked at from the control plane. */
export interface StoreWatch {
  /** what is wrong there; null before the first look */
  seen: () => readonly Seen[] | null
  stop: () => void
}

const LOOK_MS = 1000
const ANSWER_MS = 3000

/** `$MUSTER_DELOS_ENDPOINTS` of the control plane names the store that it watches. */
export function watchedStore(env: NodeJS.ProcessEnv): string[] {
  return (env['MUSTER_DELOS_ENDPOINTS'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => /^https?:\/\//.test(part) && URL.canParse(part))
}

/** A row a second for scuba of each server, and what somebody has to be told of. */
export function watchStore(endpoints: readonly string[], telemetry: ServerHost['telemetry']): StoreWatch {
  let seen: readonly Seen[] | null = null
  let isLooking = false
  const before = new Map<string, ServerPage>()

  const look = async (): Promise<void> => {
    if (isLooking) return
    isLooking = true
    const pages = (await Promise.all(endpoints.map(pageOf))).filter((page) => page !== null)
    for (const page of pages) {
      telemetry('muster_delos', rowOf(page, before.get(page.id)))
      before.set(page.id, page)
    }
    seen = conditionsOfStore(pages)
    isLooking = false
  }
  const timer = setInterval(() => void look(), LOOK_MS)
  timer.unref()
  return { seen: () => seen, stop: () => clearInterval(timer) }
}

/** Null: it does not answer, or is no server of ours. */
async function pageOf(endpoint: string): Promise<ServerPage | null> {
  try {
    const answer = await fetch(new URL(SERVER_PAGE_PATH, endpoint), { signal: AbortSignal.timeout(ANSWER_MS) })
    const parsed = answer.ok ? serverPageSchema.safeParse(await answer.json()) : null
    return parsed?.success === true ? parsed.data : null
  } catch {
    return null // that it does not answer is what is told
  }
}

function rowOf(page: ServerPage, before: ServerPage | undefined): Record<string, unknown> {
  // After a restart it counts from zero again.
  const since = (of: (page: ServerPage) => number): number =>
    before === undefined || before.startedAt !== page.startedAt ? 0 : of(page) - of(before)
  return {
    log: 'kv',
    server: page.name,
    cluster: page.clusterId,
    is_leader: page.leader === page.id,
    position: page.log.tail - 1,
    revision: page.store.revision,
    entries: since(({ entries }) => entries),
    batches: since(({ batches }) => batches),
    failed: since(({ failed }) => failed),
    slow_reads: since(({ slowReads }) => slowReads),
    bounds_hit: since(({ boundsHit }) => boundsHit),
    sync_p50_ms: page.sync.p50Ms,
    sync_p99_ms: page.sync.p99Ms,
    commit_p50_ms: page.commit.p50Ms,
    commit_p99_ms: page.commit.p99Ms,
    lag: page.log.tail - 1 - page.log.applied,
    loop_p99_ms: page.loopDelayP99Ms,
    watchers: page.watch.watchers,
    leases: page.store.leases,
    keys: page.store.keys,
    db_bytes: page.rows.bytes,
    disk_free_bytes: page.disk?.freeBytes ?? null,
  }
}
