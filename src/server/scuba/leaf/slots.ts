import { refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'

/** Who asks, and how much it matters. */
export interface Asker {
  /** queries of one user wait for each other before they make others wait */
  user: string
  /** alerts and guards: a quarter of the slots is theirs alone */
  isUrgent: boolean
}

interface Waiting extends Asker {
  start: () => void
}

/** How many queries the engines run at once, fairly: so many a user, so many waiting, the rest refused at once. */
export class Slots {
  readonly #all: number
  readonly #running = new Map<string, number>()
  #used = 0
  #waiting: Waiting[] = []

  constructor(all: number) {
    this.#all = all
  }

  get running(): number {
    return this.#used
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Runs it once there is a slot. @throws SCUBA_BUSY, SCUBA_DEADLINE when none came in time or nobody waits any more */
  async use<T>(asker: Asker, waitMs: number, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    await this.#enter(asker, waitMs, signal)
    try {
      return await run()
    } finally {
      this.#leave(asker)
    }
  }

  async #enter(asker: Asker, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#isFree(asker)) return this.#take(asker)
    if (this.#waiting.filter(({ user }) => user === asker.user).length >= LIMITS.userWaitingMax) {
      throw refuse('SCUBA_BUSY', `${LIMITS.userWaitingMax} queries of ${asker.user} wait already`)
    }
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = { ...asker, start: () => (over(), resolve()) }
      const giveUp = (why: string) => (): void => {
        over()
        this.#waiting = this.#waiting.filter((other) => other !== waiting)
        reject(refuse('SCUBA_DEADLINE', why))
      }
      const late = giveUp('the query waited for its turn until its time was over')
      const gone = giveUp('the query was stopped because nobody waits for it any more')
      const timer = setTimeout(late, waitMs)
      const over = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', gone)
      }
      signal?.addEventListener('abort', gone, { once: true })
      this.#waiting.push(waiting)
    })
  }

  #isFree({ user, isUrgent }: Asker): boolean {
    const free = this.#all - this.#used
    return free > (isUrgent ? 0 : Math.floor(this.#all / 4)) && (isUrgent || (this.#running.get(user) ?? 0) < LIMITS.userRunningMax)
  }

  #take({ user }: Asker): void {
    this.#used += 1
    this.#running.set(user, (this.#running.get(user) ?? 0) + 1)
  }

  #leave({ user }: Asker): void {
    this.#used -= 1
    const left = (this.#running.get(user) ?? 1) - 1
    if (left > 0) this.#running.set(user, left)
    else this.#running.delete(user)
    // The oldest that may run: one whose user has enough running lets others pass.
    for (const next of this.#waiting.filter(({ isUrgent }) => isUrgent).concat(this.#waiting)) {
      if (!this.#isFree(next)) continue
      this.#waiting = this.#waiting.filter((other) => other !== next)
      this.#take(next)
      next.start()
      return
    }
  }
}
