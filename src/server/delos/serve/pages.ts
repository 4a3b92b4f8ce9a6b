import { ETCD_VERSION } from '../store/maintenance-service.ts'
import type { Materialiser } from '../store/materialiser.ts'
import type { Replica } from '../store/replica.ts'
import { metricsText, type MetricsSource } from './metrics.ts'

export interface Page {
  status: number
  type: string
  body: string
}

export interface PagesOptions extends MetricsSource {
  replica: Replica
  materialiser: Materialiser
}

const JSON_TYPE = 'application/json'
const HEALTH_MS = 5000
/** A server that is so many positions behind answers from the past. */
const READY_LAG_MAX = 1000

/** Plain pages of etcd's port, as its tools and orchestrators ask for them. Each says why not, when it is not. */
export function pagesOf(options: PagesOptions): Record<string, () => Page | Promise<Page>> {
  const { replica } = options
  const verdict = (reason: string | null): Page => ({
    status: reason === null ? 200 : 503,
    type: JSON_TYPE,
    body: JSON.stringify(reason === null ? { health: 'true', reason: '' } : { health: 'false', reason }),
  })
  return {
    '/version': () => ({
      status: 200,
      type: JSON_TYPE,
      body: JSON.stringify({ etcdserver: ETCD_VERSION, etcdcluster: `${ETCD_VERSION.split('.').slice(0, 2).join('.')}.0` }),
    }),
    '/health': async () => verdict(alarmOf(replica) ?? (await whyNoCommit(replica))),
    '/livez': () => ({ status: 200, type: 'text/plain', body: 'ok' }),
    '/readyz': () => {
      const behind = replica.log.tail() - 1 - replica.applied
      const reason = replica.log.role().leader === null ? 'no leader' : behind > READY_LAG_MAX ? `${behind} positions behind` : null
      return { status: reason === null ? 200 : 503, type: 'text/plain', body: reason ?? 'ok' }
    },
    '/metrics': () => ({ status: 200, type: 'text/plain; version=0.0.4', body: metricsText(options) }),
  }
}

function alarmOf({ store }: Replica): string | null {
  const [alarm] = store.alarms(0)
  if (alarm === undefined) return null
  return alarm.alarm === 1 ? 'ALARM NOSPACE' : 'ALARM CORRUPT'
}

/** A read that every server has to agree to proves that the log goes on. */
async function whyNoCommit(replica: Replica): Promise<string | null> {
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
