import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { scopeLocked, scopeReleased } from '../machine.ts'
import { heldScopes, scopeHolder } from '../queries.ts'
import { scopeLockSchema, type ScopeLock } from '../schema.ts'

/**
 * Entries that lock scopes for a holder until a log time, for the decision of another system; a refusal names who has
 * one of them. Locking again what one holds prolongs it. Scopes are names like `service:web` or `node:n3`.
 */
export function lockScopes(db: ReadDb, now: number, scopes: readonly string[], holder: string, until: number): Proposal[] | MusterError {
  for (const scope of scopes) {
    const other = scopeHolder(db, scope, now)
    if (other !== null && other.holder !== holder) {
      return refuse(
        'DELOS_SCOPE_LOCKED',
        `${scope} is held by ${other.holder} for ${Math.ceil((other.until - now) / 1000)} s more at most.`,
        { details: other },
      )
    }
  }
  return scopes.map((scope) => scopeLocked.of({ scope, holder, until }))
}

/** Entries that free these scopes, where the holder still has them. */
export function releaseScopes(scopes: readonly string[], holder: string): Proposal[] {
  return scopes.map((scope) => scopeReleased.of({ scope, holder }))
}

/** One entry, for those who checked with {@link scopeHolder} themselves. */
export function lockScope(lock: ScopeLock): Proposal {
  return scopeLocked.of(lock)
}

export const scopeList = defineQuery({
  name: 'delos.scope.ls',
  summary: 'List scopes that a rollout, drain, remedy or chaos run holds.',
  input: z.object({}),
  output: z.object({ scopes: z.array(scopeLockSchema.extend({ since: z.number() })) }),
  answer: (db, _input, ctx) => ({ scopes: heldScopes(db, ctx.now) }),
})

export const scopeOperations = [scopeList]
