import type { ReadDb } from '../../core/contracts/storage.ts'
import { canaries, type ConfigReaders, type ConfigRow, type Opinion } from '../../core/delos/queries.ts'
import { BREAKER_WINDOW_MS, type BreakerView } from '../../core/deploy/analysis/breaker.ts'
import { numbersOf, startJudge } from '../../core/deploy/analysis/judge.ts'
import { trialOpinion, trialPolicy, type ConfigTrial, type TrialEvidence } from '../../core/deploy/queries.ts'
import type { LiveAnswer } from '../../core/scuba/live/aggregate.ts'
import { isReady, parseTarget, tasksBySelector, type TaskView } from '../../core/tw/queries.ts'
import { readWindows, recentUnits, secondsOf, type ArmAt, type JudgedArm, type Reading, type Units } from './live-windows.ts'
import { RestartCount } from './restart-count.ts'

/** What to ask of scuba for one trial: the requests of a service by task. */
export interface TrialQuestion {
  name: string
  service: string
  fromMs: number
}

/**
 * Keeps the evidence of the configurations on trial: the requests of the tasks that have the new version beside those of the tasks that
 * have the active one. Holds nothing that does not come again, and has no clock of its own.
 */
export interface TrialTracker {
  /** Follows the state and the readers, then says what is to be asked now. */
  questions: (db: ReadDb, now: number) => TrialQuestion[]
  absorb: (name: string, answer: LiveAnswer, now: number) => void
  /** null: nothing is known of that version */
  opinion: (name: string, version: number, now: number) => Opinion | null
}

/** A task that reads, and since when it has the version it has. */
interface ReadingTask {
  view: TaskView
  side: JudgedArm
  sinceMs: number
}

interface Tracked {
  trial: ConfigTrial
  service: string | null
  services: string[]
  tasks: Map<string, ReadingTask>
  reading: Reading | null
  /** scuba counts the service by task from here on; null: it was not asked yet */
  countedFromMs: number | null
  unhealthySinceMs: number | null
  restarts: RestartCount
  /** task → its restarts when it was first seen with the version on trial */
  restartsBefore: Map<string, number>
  breaker: BreakerView | null
  asOfMs: number
}

export function createTrialTracker(readers: Pick<ConfigReaders, 'of'>): TrialTracker {
  const tracked = new Map<string, Tracked>()

  return {
    questions: (db, now) => {
      const trials = canaries(db).flatMap(trialOf)
      for (const [name, { trial }] of tracked)
        if (!trials.some((one) => one.name === name && one.version === trial.version)) tracked.delete(name)
      return trials.flatMap(({ service: given, ...trial }) => {
        const entry = tracked.get(trial.name) ?? newEntry(trial)
        tracked.set(trial.name, entry)
        follow(db, entry, given, readers, now)
        if (entry.service === null) return []
        const wantedMs = Math.min(entry.reading?.cursorMs ?? Infinity, now - BREAKER_WINDOW_MS - 1000)
        return [
          { name: trial.name, service: entry.service, fromMs: Math.floor(Math.max(wantedMs, entry.countedFromMs ?? 0) / 1000) * 1000 },
        ]
      })
    },
    absorb: (name, answer, now) => {
      const entry = tracked.get(name)
      if (entry === undefined) return
      // What came before the first question was not counted: to ask for it again would only look like a gap.
      entry.countedFromMs ??= Math.ceil(answer.nowMs / 1000) * 1000
      entry.asOfMs = now
      const seconds = secondsOf(answer, armsOf(entry))
      if (entry.reading !== null) readWindows(entry.reading, answer, seconds, armsOf(entry))
      const canary = recentUnits(seconds, 'canary', answer.nowMs)
      const control = recentUnits(seconds, 'control', answer.nowMs)
      entry.breaker = { canary, control, usualRate: usualRate(entry, control), tasks: healthOf(entry, now) }
    },
    opinion: (name, version, now) => {
      const entry = tracked.get(name)
      if (entry === undefined || entry.trial.version !== version) return null
      const { service, services, breaker, asOfMs } = entry
      const judge = entry.reading?.judge ?? null
      return trialOpinion(entry.trial, { service, services, tasks: tasksOf(entry), judge, breaker, asOfMs }, now)
    },
  }
}

function trialOf(row: ConfigRow): (ConfigTrial & { service: string | null })[] {
  const { name, service, proposed: version, active, canary_ppm: sharePpm, canary_good_below: goodBelowPpm } = row
  if (version === null || active === null || sharePpm === null || goodBelowPpm === null) return []
  return [{ name, service, version, active, sharePpm, goodBelowPpm }]
}

function newEntry(trial: ConfigTrial): Tracked {
  return {
    ...{ trial, service: null, services: [], tasks: new Map(), reading: null, countedFromMs: null },
    ...{ unhealthySinceMs: null, restarts: new RestartCount(), restartsBefore: new Map(), breaker: null, asOfMs: 0 },
  }
}

/** Which tasks have which version now; a judge once one has the version on trial. */
function follow(db: ReadDb, entry: Tracked, given: string | null, readers: Pick<ConfigReaders, 'of'>, now: number): void {
  const { trial } = entry
  entry.tasks = readingTasks(db, trial, readers, now)
  const services = new Set([...entry.tasks.values()].flatMap(({ view }) => (view.service === null ? [] : [view.service])))
  entry.services = [...services].toSorted()
  const service = given ?? (entry.services.length === 1 ? (entry.services[0] ?? null) : null)
  if (service !== entry.service) Object.assign(entry, { service, reading: null, countedFromMs: null, breaker: null })
  const canary = sideOf(entry, 'canary')
  for (const { view } of canary) {
    const before = entry.restartsBefore.get(view.task) ?? view.restarts
    // A task that was placed anew counts from 0 again.
    entry.restartsBefore.set(view.task, Math.min(before, view.restarts))
  }
  entry.restarts.note(
    canary.reduce((sum, { view }) => sum + view.restarts - (entry.restartsBefore.get(view.task) ?? 0), 0),
    now,
  )
  if (service === null || canary.length === 0 || entry.countedFromMs === null) return
  const policy = trialPolicy(db, service, trial, tasksOf(entry))
  if (entry.reading === null) {
    const sinceMs = Math.ceil(Math.min(...canary.map((one) => one.sinceMs)) / 1000) * 1000
    const fromMs = Math.max(sinceMs, entry.countedFromMs)
    entry.reading = { judge: startJudge(policy, fromMs), cursorMs: fromMs, failing: new Set() }
  }
  // More tasks tell a bad version from a bad machine better.
  entry.reading.judge = { ...entry.reading.judge, policy }
}

/** Readers that are tasks, by name. Those of a release that is on its way itself are left out: they differ by more than this. */
function readingTasks(db: ReadDb, trial: ConfigTrial, readers: Pick<ConfigReaders, 'of'>, now: number): Map<string, ReadingTask> {
  const read = readers.of(trial.name, now)
  const jobs = new Set(read.flatMap(({ reader }) => jobOf(reader) ?? []))
  const views = new Map([...jobs].flatMap((job) => tasksBySelector(db, { job })).map((view) => [view.task, view]))
  const tasks = new Map<string, ReadingTask>()
  for (const { reader, version, sinceMs } of read) {
    const view = views.get(reader)
    const side = version === trial.version ? 'canary' : version === trial.active ? 'control' : null
    if (view === undefined || side === null || view.want !== 'run' || view.arm === 'canary') continue
    tasks.set(reader, { view, side, sinceMs })
  }
  return tasks
}

function jobOf(reader: string): string | null {
  const target = parseTarget(reader)
  return target !== null && 'job' in target && target.index !== undefined ? target.job : null
}

function armsOf({ tasks }: Tracked): ArmAt {
  return (task, atMs) => {
    const reading = tasks.get(task)
    return reading !== undefined && Math.floor(atMs / 1000) * 1000 >= reading.sinceMs ? reading.side : null
  }
}

function sideOf({ tasks }: Tracked, side: JudgedArm): ReadingTask[] {
  return [...tasks.values()].filter((task) => task.side === side)
}

/** Where no other task had a request nobody knows what is usual, and only what would be bad anywhere is. */
const USUAL_UNKNOWN = 0.05

function usualRate({ reading }: Tracked, recent: Units): number {
  const numbers = reading === null ? null : numbersOf(reading.judge)
  if (numbers !== null && numbers.unitsControl > 0) return numbers.failingControl / numbers.unitsControl
  return recent.units > 0 ? 0 : USUAL_UNKNOWN
}

function tasksOf(entry: Tracked): TrialEvidence['tasks'] {
  return { canary: sideOf(entry, 'canary').length, control: sideOf(entry, 'control').length }
}

function healthOf(entry: Tracked, now: number): BreakerView['tasks'] {
  const canary = sideOf(entry, 'canary')
  const unhealthy = canary.filter(({ view }) => !isReady(view)).length
  entry.unhealthySinceMs = unhealthy > 0 ? (entry.unhealthySinceMs ?? now) : null
  const unhealthyForMs = entry.unhealthySinceMs === null ? 0 : now - entry.unhealthySinceMs
  return { wanted: canary.length, unhealthy, unhealthyForMs, restartsLastMinute: entry.restarts.lastMinute() }
}
