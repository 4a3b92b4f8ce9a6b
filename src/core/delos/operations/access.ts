import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineAction, defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { apiToken, goodTokens, TOKEN_ID_CHARS, tokensCalled, type ApiTokenRow } from '../access/rows.ts'
import { apiTokenSchema, shownTokenSchema, tokenNameSchema, tokenRoleSchema } from '../access/schema.ts'
import { apiTokenIssued, apiTokenRevoked } from '../entries/access.ts'

/** More than that nobody looks through; an old one has to be revoked first. */
const TOKENS_MAX = 10_000
/** Of a server's file, taken over at once. */
const ADOPTED_MAX = 1000

const wanted = { name: tokenNameSchema, role: tokenRoleSchema.default('viewer') }

/** An action: its secret is random, and only in the answer. */
export const tokenIssue = defineAction({
  name: 'delos.token.issue',
  summary: 'Make a bearer token of the API; it is shown once, and an old one of that name ends.',
  role: 'admin',
  isMutation: true,
  hasPlan: true,
  input: z.object(wanted),
  output: z.object({
    name: z.string(),
    role: tokenRoleSchema,
    token: z.string(),
    /** first 8 digits of its hash: by which the log's entries are found */
    id: z.string(),
    /** ids of those that ended by it */
    ended: z.array(z.string()),
  }),
})

/** The part of `tokenIssue` that is logged; no route of its own. */
export const tokenNote = defineCommand({
  name: 'delos.token.note',
  summary: 'Let the token of this hash be good, and those of its name no more.',
  role: 'admin',
  input: apiTokenSchema,
  output: z.object({ ended: z.array(z.string()) }),
  decide: (db, token) => {
    const good = goodTokens(db)
    const old = good.filter(({ name }) => name === token.name)
    if (good.length - old.length >= TOKENS_MAX)
      return refuse('DELOS_REFUSED', `There are ${good.length} tokens; revoke some first.`, { hint: 'See `muster token ls`.' })
    return { entries: [...old.map(revoked), apiTokenIssued.of(token)], reply: () => ({ ended: old.map(idOf) }) }
  },
})

export const tokenList = defineQuery({
  name: 'delos.token.ls',
  summary: 'List the bearer tokens of the API that are good.',
  role: 'operator',
  input: z.object({}),
  output: z.object({ tokens: z.array(shownTokenSchema) }),
  answer: (db) => ({
    tokens: goodTokens(db).map((row) => ({ id: idOf(row), name: row.name, role: row.role, author: row.author, issuedAt: row.at })),
  }),
})

export const tokenRevoke = defineCommand({
  name: 'delos.token.revoke',
  summary: 'End a bearer token of the API: what is asked with it from now on is refused.',
  role: 'admin',
  danger: 'medium',
  input: z.object({
    /** its name, or its id where several have one name */
    token: z.string().min(1).max(64),
  }),
  output: z.object({ name: z.string(), role: tokenRoleSchema, id: z.string() }),
  decide: (db, { token: which }) => {
    const found = tokensCalled(db, which)
    const [row, ...others] = found
    if (row === undefined) return refuse('NOT_FOUND', `There is no token ${which}, or it has ended.`, { hint: 'See `muster token ls`.' })
    if (others.length > 0) {
      const ids = found.map(idOf).join(', ')
      return refuse('USAGE', `${found.length} tokens are called ${which}: say which by its id, ${ids}.`)
    }
    return { entries: [revoked(row)], reply: () => ({ name: row.name, role: row.role, id: idOf(row) }) }
  },
})

/** Once known, good or ended, a token stays what it is: what a file says of it is older. */
export const tokenAdopt = defineCommand({
  name: 'delos.token.adopt',
  summary: "Take over the tokens that a server's file has from before; what servers ask of their leader.",
  role: 'admin',
  input: z.object({ tokens: z.array(apiTokenSchema).max(ADOPTED_MAX) }),
  output: z.object({ taken: z.number().int() }),
  decide: (db, { tokens }) => {
    const unknown = new Map(tokens.filter(({ hash }) => apiToken(db, hash) === null).map((token) => [token.hash, token]))
    return { entries: [...unknown.values()].map((token) => apiTokenIssued.of(token)), reply: () => ({ taken: unknown.size }) }
  },
})

const idOf = ({ hash }: Pick<ApiTokenRow, 'hash'>): string => hash.slice(0, TOKEN_ID_CHARS)
const revoked = ({ hash, name }: ApiTokenRow): Proposal => apiTokenRevoked.of({ hash, name })

export const accessOperations = [tokenIssue, tokenList, tokenRevoke, tokenAdopt]
