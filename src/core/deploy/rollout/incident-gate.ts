import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { openIncidents } from '../../sev/queries.ts'
import type { Profile } from '../profile.ts'

/**
 * A service with an open SEV1 or SEV2 gets nothing new while people work on it; a hotfix may go out, since it may be the
 * cure. Going back is never held up by this.
 */
export function incidentGate(db: ReadDb, service: string, profile: Profile): MusterError | null {
  if (profile.name === 'hotfix') return null
  const incident = openIncidents(db, service, 2)[0]
  return incident ? refuse('DEPLOY_SEV_OPEN', `SEV${incident.level} #${incident.number} is open on ${service}: ${incident.title}`) : null
}
