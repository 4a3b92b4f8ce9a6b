import { createHash, randomBytes } from 'node:crypto'
import type { Caller } from '../api/roles.ts'

/** How long a code waits for its browser, and a browser may stay. */
export const CODE_MS = 60_000
export const SESSION_MS = 12 * 3_600_000
/** More than that at once: the oldest go. */
const CODES_MAX = 32
const SESSIONS_MAX = 128

/** Who a browser is: a code that is good once becomes a session. Kept in memory alone, so both end with the server. */
export interface Sessions {
  makeCode: (caller: Caller) => { code: string; expiresAt: number }
  /** Uses the code up. Gives the session's id, or null: there is no such code, it was used, or its time is over. */
  redeem: (code: string) => string | null
  /** Null: no such session, or its time is over. */
  find: (id: string) => Caller | null
  /** Nobody can come in any more. */
  isEmpty: () => boolean
}

interface Held {
  caller: Caller
  until: number
}

/** @param now clock, ms */
export function createSessions(now: () => number): Sessions {
  // Under their hashes: what lies in memory opens nothing, and a look-up tells nothing by its time.
  const codes = new Map<string, Held>()
  const sessions = new Map<string, Held>()

  const sweep = (held: Map<string, Held>): void => {
    for (const [key, { until }] of held) if (until <= now()) held.delete(key)
  }
  const hold = (held: Map<string, Held>, max: number, caller: Caller, ms: number): { secret: string; until: number } => {
    sweep(held)
    while (held.size >= max) held.delete(held.keys().next().value as string)
    const secret = randomBytes(24).toString('base64url')
    const until = now() + ms
    held.set(digest(secret), { caller, until })
    return { secret, until }
  }

  return {
    makeCode: (caller) => {
      const { secret, until } = hold(codes, CODES_MAX, caller, CODE_MS)
      return { code: secret, expiresAt: until }
    },
    redeem: (code) => {
      const key = digest(code)
      const found = codes.get(key)
      codes.delete(key)
      return found === undefined || found.until <= now() ? null : hold(sessions, SESSIONS_MAX, found.caller, SESSION_MS).secret
    },
    find: (id) => {
      const found = sessions.get(digest(id))
      return found === undefined || found.until <= now() ? null : found.caller
    },
    isEmpty: () => {
      sweep(codes)
      sweep(sessions)
      return codes.size === 0 && sessions.size === 0
    },
  }
}

const digest = (secret: string): string => createHash('sha256').update(secret).digest('hex')
