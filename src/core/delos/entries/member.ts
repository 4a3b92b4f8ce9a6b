import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { hashSchema, tokenIssuedSchema } from '../../contracts/one-time-token.ts'
import { joinTokens } from '../member/rows.ts'
import { certificateSchema, id64Schema, regionSchema, serverNameSchema } from '../member/schema.ts'

/** A token to join with was made. Its secret is nowhere but with whom it was given to. */
export const joinTokenIssued = defineEntry({
  type: 'delos.JoinTokenIssued',
  body: tokenIssuedSchema,
  apply: joinTokens.issue,
})

/** A server came by a token: one use less is left. Its `CertificateIssued` follows at once. */
export const joinTokenUsed = defineEntry({
  type: 'delos.JoinTokenUsed',
  body: z.object({ hash: hashSchema, server: id64Schema, name: serverNameSchema, address: z.string(), isVoter: z.boolean() }),
  notable: ({ server, name, address, isVoter }) => ({
    system: 'delos',
    kind: 'member',
    target: name,
    service: null,
    text: `server ${name} (${server}, ${address}) was let in as a ${isVoter ? 'voter to be' : 'learner'}`,
  }),
  apply: (db, { hash }) => joinTokens.use(db, hash),
})

/** A server has a certificate: its first one, or a newer one of its own making. `token`: by which it came in, if it does now. */
export const certificateIssued = defineEntry({
  type: 'delos.CertificateIssued',
  body: certificateSchema.extend({ token: hashSchema.nullable() }),
  apply: (db, { server, name, key, serial, notBefore, notAfter, token }, meta) => {
    db.run(
      `INSERT INTO delos_cert (server, name, key, serial, not_before, not_after, token, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (server) DO UPDATE SET name = excluded.name, key = excluded.key, serial = excluded.serial, not_before = excluded.not_before,
         not_after = excluded.not_after, token = coalesce(excluded.token, token), at = excluded.at`,
      server,
      name,
      key,
      serial,
      notBefore,
      notAfter,
      token,
      meta.at,
    )
  },
})

/** Servers of this region shall lead whenever they can; null: any may. */
export const leaderPreferred = defineEntry({
  type: 'delos.LeaderPreferred',
  body: z.object({ region: regionSchema.nullable() }),
  notable: ({ region }) => ({
    system: 'delos',
    kind: 'member',
    target: region ?? 'any',
    service: null,
    text: region === null ? 'any server may lead' : `servers in ${region} shall lead`,
  }),
  apply: (db, { region }, meta) => {
    db.run('INSERT OR REPLACE INTO delos_preferred_leader (one, region, author, at) VALUES (1, ?, ?, ?)', region, meta.actor, meta.at)
  },
})

export const MEMBER_ENTRIES = [joinTokenIssued, joinTokenUsed, certificateIssued, leaderPreferred] as const
