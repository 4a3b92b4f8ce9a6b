import { LiveAggregate, type LiveAnswer, type LiveEvent } from './aggregate.ts'

/** Services counted by task at once; one more is answered with no data. */
export const TASK_SERVICES_MAX = 32
/** A service that nobody asked for during this time is not counted by task any more. */
export const TASK_UNASKED_MS = 60_000

/**
 * The live aggregate by task instead of by arm, of the services that somebody asks for: nothing is counted before the first question, and
 * what came before it is no data. The `arm` of an answer is the task.
 */
export class TaskAggregates {
  readonly #services = new Map<string, { live: LiveAggregate; askedMs: number }>()

  add(event: LiveEvent): void {
    if (this.#services.size === 0) return
    this.#services.get(event.service)?.live.add({ ...event, arm: event.task, version: '' })
  }

  /** As {@link LiveAggregate.read}; counting begins with the first question. */
  read(service: string, fromMs: number, toMs: number | null, nowMs: number): LiveAnswer {
    let known = this.#services.get(service)
    if (known === undefined) {
      known = { live: new LiveAggregate(), askedMs: nowMs }
      known.live.markIncompleteBefore(nowMs)
      if (this.#services.size < TASK_SERVICES_MAX) this.#services.set(service, known)
    }
    known.askedMs = nowMs
    return known.live.read(service, fromMs, toMs, nowMs)
  }

  /** Forgets old seconds, and services that nobody asks for. */
  trim(nowMs: number): void {
    for (const [service, { live, askedMs }] of this.#services) {
      if (nowMs - askedMs > TASK_UNASKED_MS) this.#services.delete(service)
      else live.trim(nowMs)
    }
  }
}
