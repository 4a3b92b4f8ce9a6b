import type { Controller, System } from '../core/contracts/controller.ts'
import { isRefusal } from '../core/kernel/errors.ts'
import type { ControlLog } from './state/control-log.ts'
import type { Wiring } from './host.ts'
import type { Logger } from '../platform/logger.ts'
import type { Cause } from '../core/kernel/trace.ts'
import { causeAmong, traceOf, type Tracer, untold } from './tracer.ts'

export interface ControllerLoop {
  /** Runs the controller in a moment: its soft state changed. False when it is none of these. */
  wake: (name: string) => boolean
  stop: () => Promise<void>
}

/** One row of telemetry: a cycle of a controller that decided something or failed, or a run of an effect. */
export interface ControllerWork {
  name: 'controller.cycle' | 'effect.run'
  /** the controller, or the effect's kind */
  target: string
  /** how long it took, ms */
  value: number
  ok: boolean
  entries: number
}

interface Slot {
  controller: Controller
  soft: () => unknown
  isDirty: boolean
  isRunning: boolean
  /** a controller that throws stops alone and is tried again after a growing wait */
  failures: number
  timer: NodeJS.Timeout | null
  /** what woke it since it last began to decide */
  cause: Cause | null
}

/** Longest sleep of a controller: a forgotten wake-up costs this much at most. */
const IDLE_MS_MAX = 10_000

/**
 * The runtime around the controllers: each runs after entries it wakes on, when its soft state changed, and when the
 * time it asked for has come; never twice at once. What it decides goes through the sequencer.
 */
export function startControllers(
  systems: readonly System[],
  wirings: readonly Wiring[],
  control: ControlLog,
  log: Logger,
  onWork: (row: ControllerWork) => void = () => undefined,
  tracer: Tracer = untold,
): ControllerLoop {
  const slots = new Map<string, Slot>()
  const softOf = new Map<string, () => unknown>(wirings.flatMap((wiring) => Object.entries(wiring.soft ?? {})))
  for (const system of systems) {
    for (const controller of system.controllers) {
      slots.set(controller.name, {
        controller,
        soft: softOf.get(controller.name) ?? (() => undefined),
        isDirty: true,
        isRunning: false,
        failures: 0,
        timer: null,
        cause: null,
      })
    }
  }
  const effects = startEffects(wirings, control, log, tracer, onWork)
  let isStopped = false

  const run = async (slot: Slot): Promise<void> => {
    if (slot.isRunning || isStopped) return
    slot.isRunning = true
    const { controller } = slot
    try {
      while (slot.isDirty && !isStopped) {
        slot.isDirty = false
        if (slot.timer) clearTimeout(slot.timer)
        let wakeAt: number | null = null
        const startedAt = performance.now()
        const { cause } = slot
        slot.cause = null
        const span = cause === null ? null : tracer.begin(controller.name, cause)
        const { entries } = await control.submit(
          { actor: `controller:${controller.name}`, ...traceOf(span?.cause ?? null) },
          (db, { now }) => {
            const verdict = controller.decide(db, now, slot.soft())
            wakeAt = verdict.wakeAt
            return { entries: verdict.entries, value: () => undefined }
          },
        )
        slot.failures = 0
        if (entries.length > 0) {
          const value = performance.now() - startedAt
          span?.end(true, { kind: 'controller', entries: entries.length })
          onWork({ name: 'controller.cycle', target: controller.name, value, ok: true, entries: entries.length })
        }
        // One that decided nothing is no step on the way to its effects.
        effects.look(slot, entries.length > 0 && span !== null ? span.cause : cause)
        const waitMs = Math.min(IDLE_MS_MAX, Math.max(5, (wakeAt ?? Infinity) - control.now()))
        slot.timer = setTimeout(() => wake(controller.name), waitMs)
      }
    } catch (error) {
      if (!isStopped) {
        slot.failures += 1
        const waitMs = Math.min(30_000, 250 * 2 ** slot.failures)
        onWork({ name: 'controller.cycle', target: controller.name, value: 0, ok: false, entries: 0 })
        log.error('a controller failed', {
          controller: controller.name,
          error: isRefusal(error) ? error.message : String((error as Error).stack ?? error),
          retryInMs: waitMs,
        })
        slot.timer = setTimeout(() => wake(controller.name), waitMs)
      }
    } finally {
      slot.isRunning = false
      if (slot.isDirty && slot.failures === 0) void run(slot)
    }
  }

  const wake = (name: string): boolean => {
    const slot = slots.get(name)
    if (slot && !isStopped) {
      slot.isDirty = true
      void run(slot)
    }
    return slot !== undefined
  }

  const unlisten = control.onEntries((entries) => {
    for (const slot of slots.values()) {
      const news = entries.filter((entry) => slot.controller.wakes.some((prefix) => entry.type.startsWith(prefix)))
      if (news.length === 0) continue
      slot.cause = causeAmong(news) ?? slot.cause
      wake(slot.controller.name)
    }
  })
  for (const name of slots.keys()) wake(name)

  return {
    wake,
    stop: async () => {
      isStopped = true
      unlisten()
      for (const slot of slots.values()) if (slot.timer) clearTimeout(slot.timer)
      await effects.stop()
    },
  }
}

interface EffectRuns {
  look: (slot: Slot, cause: Cause | null) => void
  stop: () => Promise<void>
}

const EFFECT_RETRY_MS_MIN = 1000
const EFFECT_RETRY_MS_MAX = 30_000

/**
 * Carries out what the state asks for: each key once at a time, again after a wait when it failed or when the state
 * still asks for it. Outcomes are appended as entries, which is what makes the state stop asking.
 */
function startEffects(
  wirings: readonly Wiring[],
  control: ControlLog,
  log: Logger,
  tracer: Tracer,
  onWork: (row: ControllerWork) => void,
): EffectRuns {
  const adapters = new Map(wirings.flatMap((wiring) => Object.entries(wiring.effects ?? {})))
  const running = new Map<string, Promise<void>>()
  const retryAt = new Map<string, { at: number; waitMs: number }>()
  const abort = new AbortController()

  const look = (slot: Slot, cause: Cause | null): void => {
    if (!slot.controller.effects || abort.signal.aborted) return
    for (const effect of slot.controller.effects(control.db, control.now(), slot.soft())) {
      if (running.has(effect.key)) continue
      const retry = retryAt.get(effect.key)
      if (retry && retry.at > Date.now()) continue
      const adapter = adapters.get(effect.kind)
      if (!adapter) {
        log.error('no adapter carries out this effect', { kind: effect.kind, key: effect.key })
        continue
      }
      const later = (): void => {
        const waitMs = Math.min(EFFECT_RETRY_MS_MAX, retry ? retry.waitMs * 2 : EFFECT_RETRY_MS_MIN)
        retryAt.set(effect.key, { at: Date.now() + waitMs, waitMs })
        setTimeout(() => look(slot, cause), waitMs + 5).unref()
      }
      const run = async (): Promise<void> => {
        const startedAt = performance.now()
        const span = cause === null ? null : tracer.begin(effect.kind, cause)
        const done = (ok: boolean, entries: number): void => {
          span?.end(ok, { kind: 'effect', key: effect.key, entries })
          onWork({ name: 'effect.run', target: effect.kind, value: performance.now() - startedAt, ok, entries })
        }
        try {
          const entries = await adapter(effect, abort.signal)
          done(true, entries.length)
          if (entries.length > 0) {
            await control.submit({ actor: `effect:${effect.kind}`, ...traceOf(span?.cause ?? null) }, () => ({
              entries,
              value: () => undefined,
            }))
            retryAt.delete(effect.key)
          } else later()
        } catch (error) {
          if (abort.signal.aborted) return
          done(false, 0)
          log.warn('an effect failed and is tried again', {
            kind: effect.kind,
            key: effect.key,
            error: String((error as Error).message ?? error),
          })
          later()
        } finally {
          running.delete(effect.key)
        }
      }
      running.set(effect.key, run())
    }
    if (retryAt.size > 10_000) retryAt.clear()
  }

  return {
    look,
    stop: async () => {
      abort.abort()
      await Promise.race([Promise.allSettled(running.values()), new Promise((resolve) => setTimeout(resolve, 2000).unref())])
    },
  }
}
