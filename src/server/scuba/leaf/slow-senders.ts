import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { Receipt } from '../../../core/scuba/wire-types.ts'

/** So many large bodies in a row change what is thought of a sender. */
export const SLOW_BODIES = 20
/** Tokens that are remembered; then all are thought well of again. */
const TOKENS_MAX = 10_000

/** Of one token: how many of its large bodies in a row were other than is thought of it. */
interface Sender {
  isStrict: boolean
  streak: number
}

/**
 * Tokens all of whose large bodies have lines that are no rows, so that each has to be gone through line by line. They are put on
 * `validate=sync`: a bad line refuses its body and the sender hears of it, until as many bodies in a row were good. Forgotten with the leaf.
 */
export class SlowSenders {
  readonly #senders = new Map<string, Sender>()

  isStrict(token: string | null): boolean {
    return token !== null && this.#senders.get(token)?.isStrict === true
  }

  /** Names of the tokens that are on `validate=sync`. */
  strict(): string[] {
    return [...this.#senders].filter(([, { isStrict }]) => isStrict).map(([token]) => token)
  }

  /** What a body was like. Small ones are parsed in any case, and say nothing. */
  note(token: string | null, bytes: number, hasBadLines: boolean): void {
    if (token === null || bytes < LIMITS.rawBytesMin) return
    let sender = this.#senders.get(token)
    if (!sender) {
      if (this.#senders.size >= TOKENS_MAX) this.#senders.clear()
      this.#senders.set(token, (sender = { isStrict: false, streak: 0 }))
    }
    sender.streak = hasBadLines === sender.isStrict ? 0 : sender.streak + 1
    if (sender.streak < SLOW_BODIES) return
    sender.isStrict = !sender.isStrict
    sender.streak = 0
  }

  /** Takes a body in as is thought of its sender, and says so in what it gets back. */
  async take(token: string | null, bytes: () => number, ingest: (isStrict: boolean) => Promise<Receipt>): Promise<Receipt> {
    const isStrict = this.isStrict(token)
    try {
      const receipt = await ingest(isStrict)
      if (!receipt.duplicate) this.note(token, bytes(), receipt.quarantined > 0)
      return this.isStrict(token) ? { ...receipt, validate: 'sync' } : receipt
    } catch (error) {
      if (!isRefusal(error) || error.code !== 'SCUBA_LINES_INVALID') throw error
      this.note(token, bytes(), true)
      if (!isStrict) throw error
      throw new MusterError(
        error.code,
        `${error.message}; every large body of the token ${token} has such lines, so it is on validate=sync`,
        {
          hint: `Mend the lines; after ${SLOW_BODIES} large bodies without one, bad lines are quarantined again.`,
          details: error.details,
          cause: error,
        },
      )
    }
  }
}
