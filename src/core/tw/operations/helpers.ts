import { z } from 'zod'
import type { ReadDb } from '../../contracts/storage.ts'
import type { Proposal } from '../../contracts/entry.ts'
import { type MusterError, refuse } from '../../kernel/errors.ts'
import { serviceSet } from '../entries/mesh.ts'
import { type JobSpec, jobSpecOf, pathText } from '../job-spec.ts'
import { type JobRow, jobRow, type MeshServiceRow } from '../rows.ts'

/** A job document as it came over a border: checked by {@link parseSpec}, so that all its errors are told at once. */
export const documentSchema = z.record(z.string(), z.unknown())

/** The resolved job, or a refusal that lists everything wrong with the document. */
export function parseSpec(document: unknown): JobSpec | MusterError {
  const result = jobSpecOf(document)
  if (result.ok) return result.spec
  const lines = result.issues.map((issue) => `${pathText(issue)}: ${issue.message}`)
  return refuse('TW_SPEC_INVALID', lines.join('\n'), { details: { issues: result.issues } })
}

export function unknownJob(job: string): MusterError {
  return refuse('TW_JOB_UNKNOWN', `there is no job ${job}`)
}

/** The job, if it exists and no rollout owns it (or `takeOver` says that does not matter). */
export function freeJob(db: ReadDb, name: string, takeOver = false): JobRow | MusterError {
  const job = jobRow(db, name)
  if (!job) return unknownJob(name)
  if (job.owner !== null && !takeOver)
    return refuse('TW_JOB_OWNED', `the job ${name} is owned by ${job.owner}`, { details: { owner: job.owner } })
  return job
}

/** Service entries that bring the mesh in line with a version; a refusal when another job has one of the names. */
export function serviceEntries(db: ReadDb, spec: JobSpec): Proposal[] | MusterError {
  const entries: Proposal[] = []
  const current = db.all<MeshServiceRow>('SELECT * FROM tw_mesh_service ORDER BY name')
  const wanted = new Set<string>()
  for (const group of spec.groups) {
    for (const service of group.services) {
      wanted.add(service.name)
      const row = current.find((candidate) => candidate.name === service.name)
      if (row && row.job !== spec.job) return refuse('TW_SERVICE_TAKEN', `the service ${service.name} belongs to the job ${row.job}`)
      const isSame =
        row &&
        row.grp === group.name &&
        row.port === service.port &&
        row.protocol === service.protocol &&
        row.request_timeout_ms === service.requestTimeoutMs &&
        row.retries_max === service.retriesMax
      if (isSame) continue
      entries.push(
        serviceSet.of({
          service: service.name,
          job: spec.job,
          group: group.name,
          port: service.port,
          protocol: service.protocol,
          requestTimeoutMs: service.requestTimeoutMs,
          retriesMax: service.retriesMax,
          isRemoved: false,
        }),
      )
    }
  }
  for (const row of current) {
    if (row.job !== spec.job || wanted.has(row.name)) continue
    entries.push(
      serviceSet.of({
        service: row.name,
        job: row.job,
        group: row.grp,
        port: row.port,
        protocol: row.protocol,
        requestTimeoutMs: row.request_timeout_ms,
        retriesMax: row.retries_max,
        isRemoved: true,
      }),
    )
  }
  return entries
}
