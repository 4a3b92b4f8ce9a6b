import { startCheck, stepCheck, type CheckState } from '../../core/chaos/guard/step.ts'
import { checksOf, experimentOf, faultsOf, liveRuns, planOf, type RunRow } from '../../core/chaos/queries.ts'
import type { ChaosSoft, RunSoft } from '../../core/chaos/soft.ts'
import type { NodePing } from '../../core/contracts/node.ts'
import type { ServerHost } from '../host.ts'
import type { ScubaClient } from '../scuba/client.ts'
import { measure } from './measure.ts'

/** How long a go token lets an agent keep a fault: a server, link or guard that is gone ends it after this plus the lease. */
const TOKEN_MS = 5000
const LOOK_MS = 250
const EFFECT_EVERY_MS = 1000

export interface GuardLoop extends ChaosSoft {
  /** runs whose faults may go on now: their guards were looked at a moment ago and hold */
  go: () => NodePing['go']
  start: () => void
  stop: () => void
}

interface Watched {
  soft: RunSoft
  effectAtMs: number
}

/** Looks at the checks of every live run, four times a second, and at what its rules have hit, once a second. */
export function createGuardLoop(host: ServerHost, scuba: Pick<ScubaClient, 'live' | 'query'>): GuardLoop {
  const watched = new Map<string, Watched>()
  let timer: NodeJS.Timeout | null = null
  let isLooking = false

  const lookAt = async (run: RunRow): Promise<void> => {
    const checks = checksOf(experimentOf(run), planOf(run).services)
    const nowMs = host.now()
    const before = watched.get(run.id) ?? {
      soft: { atMs: nowMs, checks: checks.map(() => startCheck(nowMs)), effect: { requests: 0, users: 0 }, users: null },
      effectAtMs: 0,
    }
    const isBaseline = run.state === 'baseline'
    const states = await Promise.all(
      checks.map(async (check, i): Promise<CheckState> =>
        stepCheck(check, before.soft.checks[i] ?? startCheck(nowMs), await measure(scuba, check, nowMs), isBaseline),
      ),
    )
    const isDue = nowMs - before.effectAtMs >= EFFECT_EVERY_MS
    const effect = isDue ? ((await effectOf(run)) ?? before.soft.effect) : before.soft.effect
    const users = isBaseline && isDue ? await usersOf(run, nowMs) : before.soft.users
    watched.set(run.id, { soft: { atMs: nowMs, checks: states, effect, users }, effectAtMs: isDue ? nowMs : before.effectAtMs })
    if (isDue) {
      host.telemetry('muster_chaos', {
        time: nowMs,
        run: run.id,
        state: run.state,
        service: run.service ?? '',
        effect_requests: effect.requests,
        effect_users: effect.users,
        checks: checks.map((check, i) => `${check.name}=${states[i]?.value ?? 'none'}`).join('; '),
      })
    }
  }

  /** Requests and users that rules of the run have hit, by the rows; null when the store does not say. */
  const effectOf = async (run: RunRow): Promise<RunSoft['effect'] | null> => {
    if (!faultsOf(host.db, run.id).some(({ backend }) => backend === 'mesh')) return null
    try {
      const { rows } = await scuba.query(
        'select count(*), count(distinct coalesce(nullif("user", \'\'), trace)) from requests where starts_with(fault, $run)',
        {
          params: { run: `${run.id}/` },
          sinceMs: run.at,
          deadlineMs: 2000,
        },
      )
      return { requests: Number(rows[0]?.[0] ?? 0), users: Number(rows[0]?.[1] ?? 0) }
    } catch {
      // The next look asks again; until then the last figure stands.
      return null
    }
  }

  /** Distinct users of the run's services in the last minute: what its cap on users is a share of. */
  const usersOf = async (run: RunRow, nowMs: number): Promise<number | null> => {
    try {
      const answers = await Promise.all(
        planOf(run).services.map((service) => scuba.live({ table: 'requests', service, fromMs: nowMs - 60_000 })),
      )
      return answers.flatMap(({ users }) => Object.values(users)).reduce((sum, count) => sum + count, 0)
    } catch {
      return null
    }
  }

  const look = async (): Promise<void> => {
    if (isLooking) return
    isLooking = true
    try {
      const runs = liveRuns(host.db)
      for (const id of watched.keys()) if (!runs.some((run) => run.id === id)) watched.delete(id)
      await Promise.all(runs.map(lookAt))
      if (runs.length > 0) host.wake('chaos.runs')
    } catch (error) {
      host.log.error('a look at the chaos runs failed', { error: String((error as Error).stack ?? error) })
    } finally {
      isLooking = false
    }
  }

  const mayGoOn = (run: RunRow): boolean => {
    if (run.state !== 'arming' && run.state !== 'observing') return false
    const soft = watched.get(run.id)?.soft
    return (
      soft !== undefined &&
      host.now() - soft.atMs <= TOKEN_MS / 2 &&
      soft.checks.every(({ status }) => status !== 'breach' && status !== 'blind')
    )
  }

  return {
    run: (id) => watched.get(id)?.soft,
    go: () =>
      liveRuns(host.db)
        .filter(mayGoOn)
        .map(({ id }) => ({ run: id, validMs: TOKEN_MS })),
    start: () => {
      timer = setInterval(() => void look(), LOOK_MS)
      timer.unref()
    },
    stop: () => {
      if (timer) clearInterval(timer)
    },
  }
}
