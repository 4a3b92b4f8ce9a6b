import { isBatch } from '../../core/tw/job-kind.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import type { Client } from '../client.ts'
import type { JobShown } from '../render/tw-jobs.ts'
import { tasksText } from '../render/tw-words.ts'
import { waitUntil } from './tasks.ts'

/**
 * Waits until a version of a job is as wanted, and gives what it has become; null when the wait was broken off.
 * @param onChange told how far it is, each time that changes
 */
export async function waitForJob(
  client: Client,
  run: { job: string; version: number },
  timeoutMs: number,
  signal: AbortSignal,
  onChange: (text: string) => void,
): Promise<'up' | 'complete' | null> {
  let said = ''
  const end = await waitUntil(
    client,
    () => client.call<JobShown>('tw.job.show', { job: run.job }),
    ({ status }) => isUp(run, status),
    {
      timeoutMs,
      signal,
      onChange: ({ status, blocked }) => {
        const text = [standing(status), ...blocked.slice(0, 1).map(({ why }) => why)].join(', ')
        if (text !== said) onChange(`  ${text}`)
        said = text
      },
    },
  )
  if (signal.aborted) return null
  if (end.isDone) return isBatch(end.data.status.kind) ? 'complete' : 'up'
  const [blocked] = end.data.blocked
  if (blocked)
    throw new MusterError(
      'WAIT_OVER',
      `${run.job} version ${run.version} was accepted, but ${tasksText(blocked.tasks)} ${blocked.tasks.length === 1 ? 'has' : 'have'} no place: ${blocked.why} (${blocked.code})`,
      { hint: `They start as soon as there is one. Ask why with \`muster tw explain ${run.job}\`.`, details: { code: blocked.code } },
    )
  throw new MusterError(
    'WAIT_OVER',
    `${run.job} version ${run.version} was accepted, but is not up after ${spanText(timeoutMs)}: ${said}`,
    {
      hint: `Ask why with \`muster tw explain ${run.job}\`.`,
    },
  )
}

type Status = JobShown['status']

/** Every task serves and no old one is left; of a batch job: every task has run to its end. */
function isUp(run: { job: string; version: number }, status: Status): boolean {
  return status.groups.every(
    (group) =>
      group.leftover === 0 &&
      group.arms.every((arm) => (arm.version === run.version ? arm.complete : 0) + (isBatch(status.kind) ? 0 : arm.healthy) >= arm.wanted),
  )
}

/** `3 of 8 healthy`, `3 of 8 complete`. */
function standing(status: Status): string {
  const arms = status.groups.flatMap((group) => group.arms)
  const reached = arms.reduce((sum, arm) => sum + Math.min(isBatch(status.kind) ? arm.complete : arm.healthy, arm.wanted), 0)
  return `${reached} of ${arms.reduce((sum, arm) => sum + arm.wanted, 0)} ${isBatch(status.kind) ? 'complete' : 'healthy'}`
}

function spanText(ms: number): string {
  return ms >= 60_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 1000)} s`
}
