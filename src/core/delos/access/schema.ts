import { z } from 'zod'
import { SCRAM_VERIFIER } from '../../contracts/scram-verifier.ts'
import { hashSchema } from '../../contracts/one-time-token.ts'

/** Whom a token is for; the log records `token:NAME` for what is asked with it. */
export const tokenNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][\w.@-]{0,62}$/, 'a name of a token is letters, digits, "_", "-", "." and "@", at most 63')
export const tokenRoleSchema = z.enum(['viewer', 'operator', 'approver', 'admin'])

/** A token as the log knows it: its secret is with whom it was given to, and nowhere else. */
export const apiTokenSchema = z.object({
  hash: hashSchema,
  name: tokenNameSchema,
  role: tokenRoleSchema,
  /** by which PostgreSQL's clients log in with it; tokens from before have none */
  scram: z.string().regex(SCRAM_VERIFIER).optional(),
})
export type ApiToken = z.output<typeof apiTokenSchema>

/** A token as it is shown. */
export const shownTokenSchema = z.object({
  /** first 8 digits of its hash, or as many as tell it apart */
  id: z.string(),
  name: z.string(),
  role: tokenRoleSchema,
  author: z.string(),
  /** ms since the epoch */
  issuedAt: z.number().int(),
})
