import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Histogram } from '../../core/delos/measure/histogram.ts'
import type { ControllerWork } from '../controllers.ts'

/** How often something was done, how long that took and how it ended. */
export interface Measured {
  durations: Histogram
  /** outcome → how often; `OK`, or the code of the refusal */
  outcomes: Map<string, number>
}

/** What the control plane has done since this server started: rate, errors and duration of each kind of work. */
export class Measures {
  readonly startedAt = Date.now()
  readonly operations = new Map<string, Measured>()
  readonly controllers = new Map<string, Measured>()
  readonly effects = new Map<string, Measured>()
  readonly loop = monitorEventLoopDelay({ resolution: 10 })

  constructor() {
    this.loop.enable()
  }

  operation({ operation, ms, code }: { operation: string; ms: number; code: string }): void {
    note(this.operations, operation, ms, code || 'OK')
  }

  work({ name, target, value, ok }: ControllerWork): void {
    note(name === 'effect.run' ? this.effects : this.controllers, target, value, ok ? 'OK' : 'failed')
  }

  stop(): void {
    this.loop.disable()
  }
}

function note(all: Map<string, Measured>, key: string, ms: number, outcome: string): void {
  let measured = all.get(key)
  if (measured === undefined) all.set(key, (measured = { durations: new Histogram(), outcomes: new Map() }))
  measured.durations.note(ms / 1000)
  measured.outcomes.set(outcome, (measured.outcomes.get(outcome) ?? 0) + 1)
}
