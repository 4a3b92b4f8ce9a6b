import type { LogRole, OrderedLog } from '../../core/contracts/ordered-log.ts'

const RETRY_MS = 50

export interface LeadershipOptions {
  log: OrderedLog
  /** Everything that the log gave so far is in the state now. */
  takeIn: () => void
  /** That state is one to decide on. */
  mayDecide: () => boolean
  /** It does not lead, and will not in a moment: what waits for that waits in vain. */
  onLost: () => void
  /** after `leads` changed */
  onChange: (isLeading: boolean) => void
}

/** Whether this server decides: it leads the log, and its state has all that was decided before it did. */
export class Leadership {
  readonly #options: LeadershipOptions
  readonly #stop: () => void
  #isLeading = false
  /** each time that it leads counts anew; what was begun in an earlier one is given up */
  #turn = 0
  #isClosed = false

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#stop = options.log.onRole((role) => this.#notice(role))
  }

  /** Whoever holds the read lease leads at once; others are told when they do. */
  start(): void {
    if (this.#options.log.role().isLeader && !this.isComing) void this.#begin()
  }

  get leads(): boolean {
    return this.#isLeading
  }

  /** It leads, or will in a moment. */
  get isComing(): boolean {
    return this.#turn % 2 === 1
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
  }

  #notice({ isLeader }: LogRole): void {
    // A new term of the same leader (the log moved) changes nothing: whatever came between makes its next batch void, and it decides again.
    if (isLeader === this.isComing || this.#isClosed) return
    if (isLeader) void this.#begin()
    else {
      this.#turn += 1
      this.#set(false)
      this.#options.onLost()
    }
  }

  async #begin(): Promise<void> {
    this.#turn += 1
    const turn = this.#turn
    const isOver = (): boolean => this.#isClosed || turn !== this.#turn
    // With the lease all that was committed was given here.
    while (!isOver() && !this.#options.log.holdsReadLease()) {
      try {
        await this.#options.log.readBarrier()
        break
      } catch {
        // It waited for long already; whoever leads instead is told by `onRole`.
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    if (isOver()) return
    this.#options.takeIn()
    while (!this.#options.mayDecide() && !isOver()) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    if (!isOver()) this.#set(true)
  }

  #set(isLeading: boolean): void {
    if (this.#isLeading === isLeading) return
    this.#isLeading = isLeading
    this.#options.onChange(isLeading)
  }
}
