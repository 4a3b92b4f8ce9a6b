import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { apiTokenSchema, tokenNameSchema } from '../access/schema.ts'
import { hashSchema } from '../../contracts/one-time-token.ts'

/** How long one that ended is remembered: so long a server that still has it in a file cannot bring it back. */
const ENDED_MEMORY_MS = 400 * 86_400_000

/** A token of the API is good from now on. Its secret is nowhere but with whom it was given to. */
export const apiTokenIssued = defineEntry({
  type: 'delos.ApiTokenIssued',
  body: apiTokenSchema,
  notable: ({ name, role }) => ({
    system: 'delos',
    kind: 'token',
    target: name,
    service: null,
    text: `token ${name} was issued, with the role ${role}`,
  }),
  apply: (db, { hash, name, role, scram = null }, meta) => {
    db.run('DELETE FROM delos_api_token WHERE ended_at < ?', meta.at - ENDED_MEMORY_MS)
    db.run(
      'INSERT OR IGNORE INTO delos_api_token (hash, name, role, author, at, ended_at, scram) VALUES (?, ?, ?, ?, ?, NULL, ?)',
      hash,
      name,
      role,
      meta.actor,
      meta.at,
      scram,
    )
  },
})

/** A token is good no more. */
export const apiTokenRevoked = defineEntry({
  type: 'delos.ApiTokenRevoked',
  body: z.object({ hash: hashSchema, name: tokenNameSchema }),
  notable: ({ name, hash }) => ({
    system: 'delos',
    kind: 'token',
    target: name,
    service: null,
    text: `token ${name} (${hash.slice(0, 8)}) was revoked`,
  }),
  apply: (db, { hash }, meta) => {
    db.run('UPDATE delos_api_token SET ended_at = ? WHERE hash = ? AND ended_at IS NULL', meta.at, hash)
  },
})

export const ACCESS_ENTRIES = [apiTokenIssued, apiTokenRevoked] as const
