import type { IncomingHttpHeaders } from 'node:http'
import { refuse } from '../../../core/kernel/errors.ts'
import { isOwnTable } from '../../../core/scuba/names.ts'
import { filled, quotaWaitMs, type Bucket } from '../../../core/scuba/quota/bucket.ts'
import { quotaKey, type Quota, type QuotaCounts } from '../../../core/scuba/quota/quota.ts'

/** What a request may bring. */
export interface Admission {
  /** More bytes than it had said. */
  add(bytes: number): void
  /** Nothing of it was stored: it counts as if it had not come. */
  undo(): void
}

/** Of one quota: what may still come in, and what did. */
interface Account {
  bucket: Bucket | null
  counts: QuotaCounts
}

/**
 * Holds what comes in to the quotas of its token and its table. Buckets are full when the leaf starts: what is forgotten with it is
 * only how much came in just before. Counts are bytes as they came, compressed ones too.
 */
export class Quotas {
  readonly #quotas: () => readonly Quota[]
  readonly #now: () => number
  readonly #accounts = new Map<string, Account>()
  /** what was refused since it was last told */
  readonly #untold = new Map<string, { requests: number; bytes: number }>()

  /** @param now ms, of a clock that only goes forward */
  constructor(quotas: () => readonly Quota[], now: () => number = () => performance.now()) {
    this.#quotas = quotas
    this.#now = now
  }

  /**
   * Lets a request in, or refuses it before it is read.
   * @param token null: it came without one
   * @param bytes as far as they are known
   * @throws SCUBA_QUOTA (details.retryAfterMs)
   */
  admit(table: string, token: string | null, bytes: number): Admission {
    const now = this.#now()
    const concerned = this.#quotas()
      .filter(({ kind, name }) => (kind === 'token' ? name === token : name === table && !isOwnTable(table)))
      .map((quota) => ({ quota, account: this.#account(quota) }))
    let longest: { quota: Quota; waitMs: number } | null = null
    for (const { quota, account } of concerned) {
      account.bucket = filled(account.bucket, quota, now)
      const waitMs = quotaWaitMs(account.bucket, quota)
      if (waitMs > (longest?.waitMs ?? 0)) longest = { quota, waitMs }
    }
    if (longest !== null) throw this.#refusal(longest.quota, longest.waitMs, bytes)
    const accounts = concerned.map(({ account }) => account)
    let taken = 0
    const take = (more: number): void => {
      taken += more
      for (const { bucket, counts } of accounts) {
        if (bucket) bucket.levelBytes -= more
        counts.takenBytes += more
      }
    }
    take(bytes)
    return { add: take, undo: () => take(-taken) }
  }

  counts(): QuotaCounts[] {
    return this.#quotas().map((quota) => this.#account(quota).counts)
  }

  /** `token:NAME` or `table:NAME` → what was refused since the last time this was asked. */
  takeRefused(): [target: string, refused: { requests: number; bytes: number }][] {
    const refused = [...this.#untold]
    this.#untold.clear()
    return refused
  }

  #refusal(quota: Quota, waitMs: number, bytes: number): Error {
    const key = quotaKey(quota)
    const { counts } = this.#account(quota)
    counts.refusedRequests += 1
    counts.refusedBytes += bytes
    const untold = this.#untold.get(key) ?? { requests: 0, bytes: 0 }
    this.#untold.set(key, { requests: untold.requests + 1, bytes: untold.bytes + bytes })
    const rate = `${quota.bytesPerSecond / 1e6} MB a second`
    return refuse('SCUBA_QUOTA', `the ${quota.kind} ${quota.name} may send ${rate}; send again in ${Math.ceil(waitMs / 1000)} s`, {
      details: { kind: quota.kind, name: quota.name, bytesPerSecond: quota.bytesPerSecond, retryAfterMs: waitMs },
    })
  }

  #account({ kind, name }: Quota): Account {
    const key = quotaKey({ kind, name })
    let account = this.#accounts.get(key)
    if (!account)
      this.#accounts.set(key, (account = { bucket: null, counts: { kind, name, takenBytes: 0, refusedRequests: 0, refusedBytes: 0 } }))
    return account
  }
}

/**
 * The token that a request came with, by the head that the server's API sets; null: none. `isHandedOn`: another server's leaf took the rows
 * in and held them to the quotas there.
 */
export function senderOf(headers: IncomingHttpHeaders): { token: string | null; isHandedOn: boolean } {
  const head = headers['x-muster-user']
  const user = typeof head === 'string' ? decodeURIComponent(head) : ''
  return { token: user.startsWith('token:') ? user.slice('token:'.length) : null, isHandedOn: user === 'server' }
}

/** Of what no quota is for. */
export const NO_ADMISSION: Admission = { add: () => undefined, undo: () => undefined }
