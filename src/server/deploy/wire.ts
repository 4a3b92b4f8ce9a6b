import { configReaders, readersAnswer, type ConfigReadersAnswer } from '../../core/delos/operations.ts'
import { CANARY, configRow, configRows, unknownConfig, type CanarySoft, type ConfigReaders } from '../../core/delos/queries.ts'
import type { DeploySoft } from '../../core/deploy/soft.ts'
import { findRollout, rolloutRow, watchView, whyView, type RolloutRow, type WatchView, type WhyView } from '../../core/deploy/queries.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import type { ServerHost, Wiring } from '../host.ts'
import type { ScubaClient } from '../scuba/client.ts'
import { createEvidenceTracker, type LiveQuestion } from './evidence-tracker.ts'
import { createTrialTracker, type TrialQuestion } from './trial-tracker.ts'

/** The breaker looks this often, whatever the judge's own interval is. */
const LOOK_MS = 1000
const TABLE = 'requests'

/** Deploy's adapters: evidence from scuba, once a second for each rollout in flight, and the views that show it live. */
export function wireDeploy(host: ServerHost, scuba: Pick<ScubaClient, 'live'>, readers: ConfigReaders): Wiring {
  const tracker = createEvidenceTracker()
  const trials = createTrialTracker(readers)
  const sinceMs = host.now()
  let timer: NodeJS.Timeout | null = null
  let unlisten: (() => void) | null = null
  let isLooking = false
  let isStopped = false

  const ask = async ({ rollout, service, fromMs }: LiveQuestion): Promise<void> => {
    try {
      const answer = await scuba.live({ table: TABLE, service, fromMs })
      tracker.absorb(host.db, rollout, answer, host.now())
      report(rollout)
    } catch (error) {
      // No answer is no evidence: the controller sees its age and holds. The next look asks again.
      tracker.failed(rollout)
      host.log.warn('no evidence from scuba', { rollout: `r${rollout}`, error: String((error as Error).message ?? error) })
    }
  }

  const report = (rollout: number): void => {
    const row = rolloutRow(host.db, rollout)
    const judge = tracker.evidence(rollout)?.judge
    if (!row || !judge) return
    host.telemetry('muster_rollouts', {
      rollout: `r${row.id}`,
      service: row.service,
      release: row.release,
      state: row.state,
      step: row.step,
      units_canary: judge.units.canary,
      units_control: judge.units.control,
    })
  }

  const askTrial = async ({ name, service, fromMs }: TrialQuestion): Promise<void> => {
    try {
      trials.absorb(name, await scuba.live({ table: TABLE, service, fromMs, byTask: true }), host.now())
    } catch (error) {
      host.log.warn('no evidence from scuba', { configuration: name, error: (error as Error).message })
    }
  }

  const opinion: CanarySoft['opinion'] = (name, version) => trials.opinion(name, version, host.now())

  const look = async (): Promise<void> => {
    if (isLooking || isStopped) return
    isLooking = true
    try {
      const questions = tracker.questions(host.db, host.now())
      const onTrial = trials.questions(host.db, host.now())
      await Promise.all([...questions.map(ask), ...onTrial.map(askTrial)])
      if (questions.length > 0 && !isStopped) host.wake('deploy.rollout')
      if (onTrial.length > 0 && !isStopped) host.wake(CANARY)
    } catch (error) {
      host.log.error('a look at the rollouts failed', { error: String((error as Error).stack ?? error) })
    } finally {
      isLooking = false
    }
  }

  const live = <T>(name: string, view: (row: RolloutRow) => T): T => {
    const row = findRollout(host.db, name)
    if (isRefusal(row)) throw row
    return view(row)
  }

  return {
    soft: {
      'deploy.rollout': (): DeploySoft => ({ evidence: tracker.evidence }),
      [CANARY]: (): CanarySoft => ({ opinion }),
    },
    actions: {
      [configReaders.name]: async ({ name }: { name?: string }): Promise<ConfigReadersAnswer> => {
        const now = host.now()
        const rows = name === undefined ? configRows(host.db) : [configRow(host.db, name)]
        const configs = rows.map((row) => {
          if (row === null) throw unknownConfig(name ?? '')
          return readersAnswer(row, readers.of(row.name, now), name !== undefined, opinion)
        })
        return { sinceMs, configs }
      },
      'deploy.watch': async ({ rollout }: { rollout: string }): Promise<WatchView> =>
        live(rollout, (row) => watchView(host.db, row, tracker.evidence(row.id), host.now())),
      'deploy.why': async ({ rollout, step }: { rollout: string; step?: number }): Promise<WhyView> =>
        live(rollout, (row) => whyView(host.db, row, tracker.evidence(row.id), host.now(), step)),
    },
    start: async () => {
      timer = setInterval(() => void look(), LOOK_MS)
      timer.unref()
      // A share or a trial is looked at from its first second on.
      unlisten = host.onEntries((entries) => {
        if (entries.some(({ type }) => type === 'tw.SplitApplied' || type === 'delos.ConfigProposed')) void look()
      })
    },
    stop: async () => {
      isStopped = true
      if (timer) clearInterval(timer)
      unlisten?.()
    },
  }
}
