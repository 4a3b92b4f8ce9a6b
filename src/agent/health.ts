import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { connect } from 'node:net'
import type { Probe, TaskHealth } from '../core/contracts/node.ts'
import { fillPorts } from './exec/environment.ts'

export const FAILURES_BEFORE_UNHEALTHY = 3
export const START_PERIOD_MS = 30_000
const FIRST_PROBE_MS = 50

export interface ProbeTarget {
  address: string
  ports: Record<string, number>
  /** what stands before an exec probe's command to run it beside the task */
  enter: string[]
  env: Record<string, string>
  cwd: string
}

/** Runs one probe. Never rejects; `message` says what was wrong. */
export function probe(spec: Probe, target: ProbeTarget): Promise<{ ok: boolean; message: string }> {
  const port = spec.port === undefined ? undefined : target.ports[spec.port]
  if (spec.kind === 'exec') return probeExec(spec, target)
  if (port === undefined) return Promise.resolve({ ok: false, message: `no port ${spec.port ?? ''}` })
  return spec.kind === 'http' ? probeHttp(spec, target.address, port) : probeTcp(spec, target.address, port)
}

function probeHttp(spec: Probe, host: string, port: number): Promise<{ ok: boolean; message: string }> {
  return new Promise((resolve) => {
    const done = (ok: boolean, message: string): void => {
      clearTimeout(deadline)
      resolve({ ok, message })
      outgoing.destroy()
    }
    const outgoing = request(
      { host, port, path: spec.path ?? '/', agent: false, headers: { 'user-agent': 'muster-health' } },
      (response) => {
        const status = response.statusCode ?? 0
        done(status >= 200 && status < 400, `status ${status}`)
        response.resume()
      },
    )
    const deadline = setTimeout(() => done(false, 'timeout'), spec.timeoutMs)
    outgoing.once('error', (error) => done(false, error.message))
    outgoing.end()
  })
}

function probeTcp(spec: Probe, host: string, port: number): Promise<{ ok: boolean; message: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const done = (ok: boolean, message: string): void => {
      socket.destroy()
      resolve({ ok, message })
    }
    socket.setTimeout(spec.timeoutMs, () => done(false, 'timeout'))
    socket.once('connect', () => done(true, 'connected'))
    socket.once('error', (error) => done(false, error.message))
  })
}

function probeExec(spec: Probe, target: ProbeTarget): Promise<{ ok: boolean; message: string }> {
  const [program, ...args] = [...target.enter, ...(spec.command ?? []).map((word) => fillPorts(word, target.ports))]
  if (program === undefined) return Promise.resolve({ ok: false, message: 'no command' })
  return new Promise((resolve) => {
    // A group of its own, so that a probe that hangs takes its children with it.
    const child = spawn(program, args, { stdio: 'ignore', env: target.env, cwd: target.cwd, detached: true })
    const deadline = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, spec.timeoutMs)
    child.once('error', (error) => {
      clearTimeout(deadline)
      resolve({ ok: false, message: error.message })
    })
    child.once('exit', (code, signal) => {
      clearTimeout(deadline)
      resolve({ ok: code === 0, message: code === null ? `signal ${signal}` : `exit ${code}` })
    })
  })
}

/**
 * Watches one process by its probes. Readiness (else liveness) gives its health; liveness that fails three times in a row,
 * outside the start period of 30 s, asks for a restart. Only transitions are told.
 */
export class HealthMonitor {
  health: TaskHealth
  message = ''
  /** resolves when the deciding probe has answered for the first time; at once without one */
  readonly first: Promise<void>
  #firstDone: () => void = () => {}
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #startedAt = performance.now()
  #isStopped = false

  constructor(
    probes: { readiness: Probe | null; liveness: Probe | null },
    target: ProbeTarget,
    told: { changed: () => void; dead: () => void },
  ) {
    const { readiness, liveness } = probes
    this.health = readiness === null && liveness === null ? 'none' : 'starting'
    this.first = this.health === 'none' ? Promise.resolve() : new Promise((resolve) => (this.#firstDone = resolve))
    const decide = (isPassing: boolean): void => this.#set(isPassing ? 'healthy' : 'unhealthy', told.changed)
    const live = (isPassing: boolean): void => (isPassing ? undefined : told.dead())
    // One probe that says both is asked once: two of the same could disagree whether the task had ever been well.
    if (readiness === null && liveness !== null)
      this.#watch(liveness, target, (isPassing) => {
        decide(isPassing)
        live(isPassing)
      })
    else {
      if (readiness !== null) this.#watch(readiness, target, decide)
      if (liveness !== null) this.#watch(liveness, target, live)
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#firstDone()
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #set(health: TaskHealth, changed: () => void): void {
    if (this.health === health || this.#isStopped) return
    this.health = health
    changed()
  }

  /** Tells each change of passing; the first pass, and the third failure in a row. */
  #watch(spec: Probe, target: ProbeTarget, told: (isPassing: boolean) => void): void {
    let failures = 0
    let hasPassed = false
    let waitMs = FIRST_PROBE_MS
    const round = async (): Promise<void> => {
      const { ok, message } = await probe(spec, target)
      if (this.#isStopped) return
      this.message = message
      if (ok) {
        hasPassed = true
        failures = 0
        told(true)
      } else {
        // Until its first success a task may take its start period; after that every failure counts.
        const counts = hasPassed || performance.now() - this.#startedAt > START_PERIOD_MS
        failures = counts ? failures + 1 : 0
        if (failures === FAILURES_BEFORE_UNHEALTHY) told(false)
        if (failures >= FAILURES_BEFORE_UNHEALTHY) failures = 0
      }
      this.#firstDone()
      waitMs = hasPassed ? spec.intervalMs : Math.min(spec.intervalMs, Math.round(waitMs * 1.5))
      schedule(waitMs)
    }
    const schedule = (ms: number): void => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        void round()
      }, ms)
      this.#timers.add(timer)
    }
    schedule(FIRST_PROBE_MS)
  }
}
