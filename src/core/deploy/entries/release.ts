import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'

/** A job version may be rolled out under this name from here on; what it is never changes. */
export const releaseCreated = defineEntry({
  type: 'deploy.ReleaseCreated',
  body: z.object({
    release: z.string(),
    service: z.string(),
    job: z.string(),
    group: z.string(),
    version: z.int(),
    /** counts the service's releases from 1 */
    n: z.int(),
    /** what the person called it: a path or a file name */
    label: z.string(),
    /** `sha256:…` of the artifact it brought, or null */
    artifact: z.string().nullable(),
    /** it was running before deploy came to it, so it is what to go back to */
    isBase: z.boolean(),
  }),
  apply: (db, body, meta) => {
    db.run(
      `INSERT INTO deploy_release (id, service, job, version, n, label, artifact, state, why, author, at, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?)`,
      body.release,
      body.service,
      body.job,
      body.version,
      body.n,
      body.label,
      body.artifact,
      body.isBase ? 'good' : 'new',
      meta.actor,
      meta.at,
      meta.position,
    )
    db.run(
      `INSERT INTO deploy_service (service, job, grp, release) VALUES (?, ?, ?, ?)
       ON CONFLICT (service) DO UPDATE SET job = excluded.job, grp = excluded.grp, release = coalesce(excluded.release, release)`,
      body.service,
      body.job,
      body.group,
      body.isBase ? body.release : null,
    )
  },
})

export const releaseMarkedBad = defineEntry({
  type: 'deploy.ReleaseMarkedBad',
  body: z.object({ release: z.string(), service: z.string(), reason: z.string() }),
  notable: (body) => ({
    system: 'deploy',
    kind: 'known-bad',
    target: body.release,
    service: body.service,
    text: `release ${body.release} marked bad: ${body.reason}`,
  }),
  apply: (db, body) => {
    db.run("UPDATE deploy_release SET state = 'bad', why = ? WHERE id = ?", body.reason, body.release)
  },
})

/** How much the service's own tasks differ in failing: τ, learned from the control tasks. */
export const toleranceLearned = defineEntry({
  type: 'deploy.ToleranceLearned',
  body: z.object({ service: z.string(), spreadPpm: z.int().min(0), tasks: z.int().min(0) }),
  apply: (db, body, meta) => {
    db.run('UPDATE deploy_service SET spread_ppm = ?, spread_at = ? WHERE service = ?', body.spreadPpm, meta.at, body.service)
  },
})

export const RELEASE_ENTRIES = [releaseCreated, releaseMarkedBad, toleranceLearned] as const
