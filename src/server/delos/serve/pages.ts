import { SERVER_PAGE_PATH } from '../../../core/delos/measure/names.ts'
import { ALARM_TYPE } from '../../../core/delos/wire/messages.ts'
import { ETCD_VERSION } from '../store/maintenance-service.ts'
import type { Replica } from '../store/replica.ts'
import { failed, livezChecks, readyzChecks, type Check } from './checks.ts'
import { metricsText } from './metrics.ts'
import { serverPage, type ServerPageSource } from './server-page.ts'

export interface Page {
  status: number
  type: string
  body: string
}

export interface PagesOptions extends ServerPageSource {
  /** why this server does not serve; null: it does */
  trouble: () => string | null
}

const JSON_TYPE = 'application/json'
const HEALTH_MS = 5000

/** Plain pages of etcd's port, as its tools and orchestrators ask for them. Each says why not, when it is not. */
export function pagesOf(source: PagesOptions): Record<string, (query: URLSearchParams) => Page | Promise<Page>> {
  const { replica } = source
  const live = livezChecks()
  const ready = readyzChecks(replica)
  const verdict = (reason: string | null): Page => ({
    status: reason === null ? 200 : 503,
    type: JSON_TYPE,
    body: JSON.stringify(reason === null ? { health: 'true', reason: '' } : { health: 'false', reason }),
  })
  const page = (body: unknown): Page => ({ status: 200, type: JSON_TYPE, body: JSON.stringify(body) })
  return {
    '/version': () => page({ etcdserver: ETCD_VERSION, etcdcluster: `${ETCD_VERSION.split('.').slice(0, 2).join('.')}.0` }),
    // As in etcd: `?exclude=NOSPACE` is for who only wants to know whether reads go on, `?serializable=true` asks this server alone.
    '/health': async (query) =>
      verdict(
        source.trouble() ??
          alarmOf(replica, query.getAll('exclude')) ??
          (query.get('serializable') === 'true' ? null : await whyNotConfirmed(replica)),
      ),
    '/livez': (query) => checked(live, query),
    '/readyz': (query) => checked(ready, query),
    '/metrics': () => ({ status: 200, type: 'text/plain; version=0.0.4', body: metricsText(source) }),
    [SERVER_PAGE_PATH]: async () => page(await serverPage(source)),
  }
}

/** `ok`, or a line for each check, in the form of etcd and Kubernetes; `?verbose` wants the lines anyway. */
function checked(checks: readonly Check[], query: URLSearchParams): Page {
  const results = checks.map((check) => ({ name: check.name, reason: check.whyNot() }))
  const isOk = !results.some(failed)
  const lines = results.map(({ name, reason }) => (reason === null ? `[+]${name} ok` : `[-]${name} failed: ${reason}`))
  const body = isOk && !query.has('verbose') ? 'ok' : [...lines, isOk ? 'ok' : 'not ok'].join('\n')
  return { status: isOk ? 200 : 503, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

function alarmOf({ store }: Replica, excluded: readonly string[]): string | null {
  // One member's rows that are wrong are that member's trouble, while the others know that theirs are right.
  const raised = [...(store.isCorrupt ? ['CORRUPT'] : []), ...(store.alarms(ALARM_TYPE.nospace).length > 0 ? ['NOSPACE'] : [])]
  const alarm = raised.find((name) => !excluded.includes(name))
  return alarm === undefined ? null : `ALARM ${alarm}`
}

/** A read that every server has to agree to proves that the log goes on. */
async function whyNotConfirmed(replica: Replica): Promise<string | null> {
  if (replica.log.role().leader === null) return 'RAFT NO LEADER'
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(`nothing was confirmed within ${HEALTH_MS / 1000} s`), HEALTH_MS)
    replica.linearizable(
      () => true,
      (error) => {
        clearTimeout(timer)
        resolve(error === null ? null : error.text)
      },
    )
  })
}
