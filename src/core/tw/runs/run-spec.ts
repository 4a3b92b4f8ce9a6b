import type { JobSpec } from '../job-spec.ts'

/** What one run of a recurring job was given. */
export interface RunGift {
  /** `backup.17` */
  name: string
  /** log time it was due, ms; null: a person asked for it */
  dueAt: number | null
  meta: Readonly<Record<string, string>>
  /** text; null: none */
  payload: string | null
}

/** Runs are jobs of their own, named after the job they are of: no job file can have a name with a dot. */
export function runName(job: string, n: number): string {
  return `${job}.${n}`
}

/** Whether a name is that of a run. */
export function isRunName(job: string): boolean {
  return job.includes('.')
}

/** Whether a job places nothing itself: the clock or a dispatch starts runs of it. */
export function isRecurring(spec: Pick<JobSpec, 'periodic' | 'parameters'>): boolean {
  return spec.periodic !== null || spec.parameters !== null
}

/**
 * The spec of one run: the job's own, with what the run was given in the environment (`MUSTER_RUN`, `MUSTER_RUN_DUE_MS`,
 * `MUSTER_META_KEY`, `MUSTER_PAYLOAD`) and `{{meta.KEY}}` filled in; a key that was not given is empty.
 */
export function runSpecOf(spec: JobSpec, gift: RunGift): JobSpec {
  const fill = (text: string): string => text.replace(/\{\{\s*meta\.([A-Za-z0-9_]+)\s*\}\}/g, (_, key: string) => gift.meta[key] ?? '')
  const given = {
    MUSTER_RUN: gift.name,
    ...(gift.dueAt === null ? {} : { MUSTER_RUN_DUE_MS: String(gift.dueAt) }),
    ...(gift.payload === null ? {} : { MUSTER_PAYLOAD: gift.payload }),
    ...Object.fromEntries(Object.entries(gift.meta).map(([key, value]) => [`MUSTER_META_${key}`, value])),
  }
  return {
    ...spec,
    job: gift.name,
    periodic: null,
    parameters: null,
    groups: spec.groups.map((group) => ({
      ...group,
      container: {
        ...group.container,
        command: group.container.command.map(fill),
        env: { ...Object.fromEntries(Object.entries(group.container.env).map(([key, value]) => [key, fill(value)])), ...given },
      },
    })),
  }
}
