import { appendFileSync } from 'node:fs'
import type { DesiredTask, TaskHealth, TaskReport, TaskState } from '../core/contracts/node.ts'
import { isRefusal } from '../core/kernel/errors.ts'
import { isDiskFull } from '../platform/files.ts'
import type { Logger } from '../platform/logger.ts'
import type { ArtifactStore } from './artifacts.ts'
import { TaskCgroup, type CgroupMounts } from './exec/cgroups.ts'
import { fillPorts, taskEnvironment } from './exec/environment.ts'
import { TaskFolder } from './exec/folder.ts'
import { canUseNamespaces, enterPrefix, preparationOf } from './exec/isolation.ts'
import { findProgram, systemProgram } from './exec/programs.ts'
import { adoptRun, startRun, type Run } from './exec/run.ts'
import { exitReason, signalName } from './exec/signals.ts'
import { lookupUser } from './exec/users.ts'
import { HealthMonitor } from './health.ts'
import type { Journal, TaskRecord } from './journal.ts'
import { isPortFree, type PortBlocks } from './ports.ts'
import { identify, processStat, signalProcess, type ProcessId } from '../platform/process.ts'
import { nextRestart, SETTLED_AFTER_MS } from './restart.ts'

/** What a task needs of its agent. */
export interface TaskHost {
  node: string
  region: string
  address: string
  tasks: string
  /** the control plane's keys, hidden from isolated tasks */
  keys: string
  log: Logger
  journal: Journal
  ports: PortBlocks
  artifacts: ArtifactStore
  cgroups: CgroupMounts | null
  cgroupParent: string
  servicePorts: () => Record<string, string>
  gateway: () => string | null
  /** something a report tells has changed */
  changed: () => void
}

const FIXED_PORT_WAIT_MS = 2000
const RETRY_MS = 1000
const KILL_GRACE_MS = 5000

/** Why a start did not come to a process: tried again by the restart policy, tried again for ever, or final. */
type StartFailure = { reason: string; then: 'policy' | 'wait' | 'final' }

/** One placed task on this node: starts it, watches it, restarts it, stops it. Level-triggered: `desired` may change any time. */
export class Task {
  readonly folder: TaskFolder
  readonly record: TaskRecord
  readonly #host: TaskHost
  readonly #cgroup: TaskCgroup | null
  #state: TaskState = 'starting'
  #reason = ''
  #health: HealthMonitor | null = null
  #run: Run | null = null
  #startedAt: number | null = null
  #isStopAsked = false
  /** why we end the process ourselves; null while it is meant to run */
  #endCause: string | null = null
  #wake: (() => void) | null = null
  usage: { cpuMilli?: number; memoryBytes?: number } = {}
  #nowKnown: () => void = () => {}
  /** resolves when a report of it says what is: taken over and probed once, ended, or to be started */
  readonly known = new Promise<void>((resolve) => (this.#nowKnown = resolve))

  constructor(host: TaskHost, record: TaskRecord) {
    this.#host = host
    this.record = record
    this.folder = new TaskFolder(host.tasks, record.id)
    const wantsLimits = record.desired.spec.isolation !== 'plain'
    this.#cgroup =
      host.cgroups !== null && wantsLimits && process.getuid?.() === 0 ? new TaskCgroup(host.cgroups, host.cgroupParent, record.id) : null
  }

  get desired(): DesiredTask {
    return this.record.desired
  }

  get isFinal(): boolean {
    return this.record.ended !== null
  }

  /** The task's process while there is one. */
  get process(): ProcessId | null {
    return this.#run?.process ?? null
  }

  get cgroup(): TaskCgroup | null {
    return this.record.hasCgroup ? this.#cgroup : null
  }

  report(): TaskReport {
    const { record } = this
    const health: TaskHealth = this.#run === null ? 'starting' : (this.#health?.health ?? 'starting')
    return {
      id: record.id,
      task: record.desired.task,
      incarnation: record.desired.incarnation,
      state: record.ended?.state ?? this.#state,
      health: record.ended === null ? health : 'none',
      pid: this.#run?.process.pid ?? null,
      ports: record.ports,
      reason: record.ended?.reason ?? this.#reason,
      restarts: record.restarts,
      startedAt: this.#startedAt,
      ...(this.#run === null ? {} : this.usage),
    }
  }

  /** Runs the task until it is final. `isAdopting`: an earlier agent may have started it. */
  async live(isAdopting: boolean): Promise<void> {
    if (this.isFinal) return this.#nowKnown()
    let found = isAdopting && this.record.attempt > 0 ? await adoptRun(this.folder) : null
    if (found !== null && found !== 'unknown') this.#host.log.info('task adopted', { task: this.desired.task, pid: found.process.pid })
    if (found === null || found === 'unknown') this.#nowKnown()
    for (;;) {
      let reason: string
      if (found === 'unknown') {
        reason = 'unknown'
      } else {
        if (found === null && this.#isStopAsked) return this.#finish('stopped', this.#reason)
        const run: Run | StartFailure = found ?? (await this.#start())
        if ('then' in run) {
          this.#setReason(run.reason)
          if (run.then === 'final') return this.#finish('failed', run.reason)
          if (run.then === 'wait') {
            await this.#pause(RETRY_MS)
            continue
          }
          reason = run.reason
        } else {
          reason = await this.#watch(run, found !== null)
        }
      }
      found = null
      if (this.#isStopAsked) return this.#finish('stopped', reason)
      this.#setReason(reason)
      if (reason !== 'restart' && !(await this.#backOff(reason))) return
    }
  }

  /** Ends the task for good: the stop signal, then after the timeout SIGKILL to its whole group. `cause`: what the end will be called. */
  stop(cause = ''): void {
    if (this.#isStopAsked) return
    this.#isStopAsked = true
    if (!this.isFinal) this.#state = 'stopping'
    if (cause !== '') this.#reason = cause
    this.#host.changed()
    this.#wake?.()
    void this.#terminate(cause)
  }

  /** Ends the process; the task starts again at once and it does not count as an attempt. */
  restart(): void {
    this.#wake?.()
    void this.#terminate('restart')
  }

  /** Ends the process with a reason that counts as a failure: `unhealthy`, `oom`. */
  fail(reason: string): void {
    void this.#terminate(reason, reason === 'oom')
  }

  /** @returns false when there is no process */
  signal(name: string): boolean {
    return this.#run !== null && signalProcess(this.#run.process, signalName(name), 'process')
  }

  environment(): Record<string, string> {
    return taskEnvironment({
      desired: this.desired,
      ports: this.record.ports,
      node: this.#host.node,
      region: this.#host.region,
      home: this.folder.work,
      servicePorts: this.#host.servicePorts(),
      gateway: this.#host.gateway(),
    })
  }

  cwd(): string {
    const { cwd, artifact } = this.desired.spec
    return cwd ?? (artifact === undefined ? this.folder.work : this.#host.artifacts.folder(artifact))
  }

  /**
   * How a program on this machine gets beside the task: prefix of its argv, environment and folder. `hasTerminal`: with a terminal that
   * nobody else uses, which is then that of the session it leads: a shell could not give one back to a group that it does not see.
   */
  enter(hasTerminal = false): { argv: string[]; env: Record<string, string>; cwd: string } {
    const cwd = this.cwd()
    const { isIsolated } = this.record
    const lead = hasTerminal && isIsolated ? [systemProgram('setsid') ?? 'setsid', '--ctty'] : []
    const argv = [...enterPrefix(this.#run?.process.pid ?? 0, isIsolated, cwd), ...lead, ...userPrefix(this.desired)]
    return { argv, env: this.environment(), cwd }
  }

  async #start(): Promise<Run | StartFailure> {
    const { spec } = this.desired
    this.#state = this.#isStopAsked ? 'stopping' : 'starting'
    this.#endCause = null
    try {
      if (spec.artifact !== undefined) await this.#host.artifacts.ensure(spec.artifact, String(this.record.id))
      const portFailure = await this.#takePorts()
      if (portFailure !== null) return portFailure
      return await this.#launch()
    } catch (error) {
      this.#host.log.warn('task not started', { task: this.desired.task, error: String(error) })
      if (isRefusal(error) && error.code === 'UNAVAILABLE') return { reason: 'artifact', then: 'wait' }
      if (isRefusal(error) && error.code === 'TW_ARTIFACT') return { reason: 'artifact', then: 'policy' }
      if (isDiskFull(error)) return { reason: 'disk-full', then: 'wait' }
      return { reason: 'start-failed', then: 'policy' }
    }
  }

  async #launch(): Promise<Run | StartFailure> {
    const { spec, task } = this.desired
    const { record, folder } = this
    const owner = spec.user === undefined ? null : lookupUser(spec.user)
    if (spec.user !== undefined && owner === null) return { reason: 'user-unknown', then: 'final' }
    folder.create(owner)
    const cwd = this.cwd()
    const env = this.environment()
    const [name = '', ...args] = spec.command.map((word) => fillPorts(word, record.ports))
    const program = findProgram(name, env['PATH'] ?? '', cwd)
    if (program === null) {
      appendFileSync(folder.err, `muster: ${name}: no such program in ${name.includes('/') ? cwd : env['PATH']}\n`)
      return { reason: 'exit 127', then: 'policy' }
    }
    record.isIsolated = spec.isolation !== 'plain' && canUseNamespaces()
    if (spec.isolation === 'namespaces' && !record.isIsolated) return { reason: 'isolation', then: 'final' }
    record.hasCgroup = this.#makeCgroup()
    record.oomKills = this.cgroup?.oomKills() ?? 0
    record.attempt += 1
    folder.clearStart()
    folder.writeSpec({ ...this.desired, ports: record.ports, attempt: record.attempt, node: this.#host.node, cgroup: record.hasCgroup })
    const artifact = spec.artifact === undefined ? null : this.#host.artifacts.folder(spec.artifact)
    folder.writePrepare(
      preparationOf({ folder: folder.root, cgroup: this.cgroup, isIsolated: record.isIsolated, keys: this.#host.keys, artifact, cwd }),
    )
    await this.#host.journal.put(record)
    if (this.#isStopAsked) return { reason: this.#reason, then: 'policy' }
    const run = await startRun(folder, [...userPrefix(this.desired), program, ...args], {
      env,
      cwd: folder.root,
      isIsolated: record.isIsolated,
    })
    if (typeof run === 'number') return { reason: exitReason(run), then: 'policy' }
    this.#startedAt = Date.now()
    this.#host.log.info('task started', { task, pid: run.process.pid, attempt: record.attempt })
    return run
  }

  #makeCgroup(): boolean {
    try {
      this.#cgroup?.create({ cpuMilli: this.desired.spec.cpuMilli, memoryMaxBytes: this.desired.spec.memoryMaxBytes })
      return this.#cgroup !== null
    } catch (error) {
      // A container often mounts cgroups read-only even for root: the task then runs with its memory watched, not enforced.
      this.#host.log.warn('no cgroup for the task', { task: this.desired.task, error: String(error) })
      return false
    }
  }

  async #takePorts(): Promise<StartFailure | null> {
    const { ports, id } = this.record
    for (const [name, fixed] of Object.entries(this.desired.spec.ports)) {
      if (fixed > 0) {
        const giveUpAt = performance.now() + FIXED_PORT_WAIT_MS
        // Its predecessor may be about to let go.
        while (!(await isPortFree(fixed, this.#host.address))) {
          if (performance.now() > giveUpAt) return { reason: 'port-taken', then: 'final' }
          await this.#pause(100)
          if (this.#isStopAsked) return { reason: '', then: 'wait' }
        }
        ports[name] = fixed
        continue
      }
      const last = ports[name]
      if (last !== undefined && (await isPortFree(last, this.#host.address))) continue
      const port = await this.#host.ports.take()
      if (port === null) return { reason: 'port-taken', then: 'policy' }
      this.#host.log.info('port given', { task: this.desired.task, id, name, port })
      ports[name] = port
    }
    return null
  }

  /** Watches a process to its end and says why it ended. */
  async #watch(run: Run, isAdopted: boolean): Promise<string> {
    this.#run = run
    const beganAt = Date.now()
    if (isAdopted) this.#startedAt ??= startedAt(run.process)
    this.#state = this.#isStopAsked ? 'stopping' : 'running'
    if (!this.#isStopAsked) this.#reason = ''
    const { spec } = this.desired
    this.#health = new HealthMonitor(
      spec,
      { address: this.#host.address, ports: this.record.ports, ...this.#probeTarget() },
      { changed: this.#host.changed, dead: () => this.fail('unhealthy') },
    )
    void this.#health.first.then(this.#nowKnown)
    this.#host.changed()
    if (this.#isStopAsked) void this.#terminate('')
    const code = await run.ended
    this.#health.stop()
    this.cgroup?.killAll()
    const isOom = this.cgroup !== null && this.cgroup.oomKills() > this.record.oomKills
    const reason = this.#endCause || (isOom ? 'oom' : code === null ? 'unknown' : exitReason(code))
    this.#run = null
    this.#health = null
    if (Date.now() - beganAt > SETTLED_AFTER_MS) this.record.restartTimes = []
    this.#host.log.info('task ended', { task: this.desired.task, pid: run.process.pid, reason, code })
    return reason
  }

  #probeTarget(): { enter: string[]; env: Record<string, string>; cwd: string } {
    const { argv, env, cwd } = this.enter()
    return { enter: argv, env, cwd }
  }

  /** @param cause what the end will be called; '' leaves it to the exit code unless the timeout strikes */
  async #terminate(cause: string, isHard = false): Promise<void> {
    const run = this.#run
    if (run === null || (this.#endCause !== null && cause !== '')) return
    this.#endCause = cause
    let hasEnded = false
    const ended = run.ended.then(() => (hasEnded = true))
    const { signal, timeoutMs } = this.desired.spec.stop
    if (!isHard) {
      signalProcess(run.process, signalName(signal), 'process')
      await Promise.race([ended, timeout(timeoutMs)])
    }
    if (hasEnded) return
    if (cause === '' && this.#run === run) this.#endCause = 'stop-timeout'
    signalProcess(run.process, 'SIGKILL', 'group')
    this.cgroup?.killAll()
    await Promise.race([ended, timeout(KILL_GRACE_MS)])
    if (!hasEnded) this.#host.log.error('task survives SIGKILL', { task: this.desired.task, pid: run.process.pid })
  }

  /** Waits as the policy says; false when the task is final instead. */
  async #backOff(reason: string): Promise<boolean> {
    const { record, desired } = this
    if (reason === 'exit 0' && desired.spec.restart.onSuccess === 'complete') {
      await this.#finish('complete', reason)
      return false
    }
    const next = nextRestart(desired.spec.restart, record.restartTimes, Date.now(), desired)
    if (next.kind === 'fail') {
      await this.#finish(reason === 'exit 0' ? 'complete' : 'failed', reason)
      return false
    }
    this.#state = 'starting'
    record.restarts += 1
    record.restartTimes = [...record.restartTimes, Date.now()].slice(-100)
    this.#host.changed()
    await this.#pause(next.delayMs)
    return true
  }

  async #finish(state: TaskState, reason: string): Promise<void> {
    const { record } = this
    record.ended = { state, reason }
    this.#cgroup?.remove()
    this.#host.ports.release(record.ports)
    this.#host.artifacts.release(String(record.id))
    this.#host.changed()
    // A disk that is full now does not make the task less ended; after a restart its folder says so again.
    await this.#host.journal.put(record).catch((error: unknown) => this.#host.log.warn('journal not written', { error: String(error) }))
  }

  #setReason(reason: string): void {
    if (this.#reason === reason) return
    this.#reason = reason
    this.#host.changed()
  }

  /** Sleeps; a stop or restart ends it early. */
  #pause(ms: number): Promise<void> {
    if (this.#isStopAsked) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms)
      function done(): void {
        clearTimeout(timer)
        resolve()
      }
      this.#wake = done
    })
  }
}

const timeout = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())

function userPrefix(desired: DesiredTask): string[] {
  const { user } = desired.spec
  const owner = user === undefined ? null : lookupUser(user)
  if (owner === null || process.getuid?.() !== 0) return []
  return [systemProgram('setpriv') ?? 'setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--']
}

/** When an adopted process began, ms since the epoch: its start in ticks (100 a second, as Linux reports to user space) since boot. */
function startedAt(id: ProcessId): number | null {
  const self = identify(process.pid)
  if (processStat(id.pid) === null || self === null) return null
  const ownAgeMs = process.uptime() * 1000
  return Math.round(Date.now() - ownAgeMs - (self.startTime - id.startTime) * 10)
}
