import { z } from 'zod'
import { defineAction, defineCommand } from '../../contracts/operation.ts'
import { hashSchema, tokenAnswerSchema, tokenLimits } from '../../contracts/one-time-token.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { formatDuration } from '../../kernel/units.ts'
import { certificateIssued, joinTokenIssued, joinTokenUsed } from '../entries/member.ts'
import { certificateOf, certificateOfKey, joinTokens } from '../member/rows.ts'
import { certificateSchema, id64Schema, peersAddressSchema } from '../member/schema.ts'

/** Servers ever removed that a question names. */
const REMOVED_MAX = 10_000

const limits = tokenLimits(100)

/** An action: its secret is random, and the authority whose fingerprint it carries is made with the first one. */
export const memberToken = defineAction({
  name: 'delos.member.token',
  summary: 'Make a token with which a server may join the cluster; it is shown once.',
  role: 'admin',
  isMutation: true,
  hasPlan: true,
  input: z.object(limits),
  output: tokenAnswerSchema,
})

/** The part of `memberToken` that is logged; no route of its own. */
export const memberIssue = defineCommand({
  name: 'delos.member.issue',
  summary: 'Let the secret of this hash be good to join with.',
  role: 'admin',
  input: z.object({ ...limits, hash: hashSchema }),
  output: z.object({ until: z.number().int() }),
  decide: (_db, { hash, ttlMs, uses }, { now }) => {
    const until = now + ttlMs
    return { entries: [joinTokenIssued.of({ hash, uses, until })], reply: () => ({ until }) }
  },
})

/**
 * One use of a token is one member: who asks again with the same key, because the answer was lost, is told the same and uses nothing up. What
 * is random (id, serial number) is the asker's proposal.
 */
export const memberJoin = defineCommand({
  name: 'delos.member.join',
  summary: 'Use up a token for a server that comes with it; what servers ask of their leader.',
  role: 'admin',
  input: certificateSchema.extend({
    /** of the token's secret */
    token: hashSchema,
    address: peersAddressSchema,
    isVoter: z.boolean(),
    /** ids that were members and never may be again */
    removed: z.array(id64Schema).max(REMOVED_MAX).default([]),
  }),
  output: certificateSchema.extend({ isNew: z.boolean() }),
  decide: (db, { token: hash, address, isVoter, removed, ...proposed }, { now }) => {
    const token = joinTokens.read(db, hash)
    if (token === undefined)
      return refuse('DELOS_TOKEN_UNKNOWN', 'The cluster has given no such token, or has forgotten it long after its time.')
    if (token.until <= now) return refuse('DELOS_TOKEN_EXPIRED', `The time of the token was over ${formatDuration(now - token.until)} ago.`)
    const before = certificateOfKey(db, proposed.key)
    const server = before?.server ?? proposed.server
    if (removed.includes(server))
      return refuse('DELOS_MEMBER_REMOVED', `Server ${server} was removed from the cluster and never comes back under that id.`, {
        hint: 'Start it with an empty state directory: it then comes as another one.',
      })
    if (before !== null && before.token === hash) {
      const { key, serial, not_before: notBefore, not_after: notAfter } = before
      const same = { server, name: proposed.name, key, serial, notBefore, notAfter }
      // Under another name, when the first was taken, it is the same server all the same.
      const entries = before.name === same.name ? [] : [certificateIssued.of({ ...same, token: hash })]
      return { entries, reply: () => ({ ...same, isNew: false }) }
    }
    if (token.used >= token.uses)
      return refuse(
        'DELOS_TOKEN_USED',
        `The token was for ${token.uses} server${token.uses === 1 ? '' : 's'}, and so many have joined by it.`,
      )
    if (before === null && certificateOf(db, server) !== null) return conflict(`Server ${server} has a certificate of another key.`)
    const certificate = { ...proposed, server }
    const entries = [
      joinTokenUsed.of({ hash, server, name: proposed.name, address, isVoter }),
      certificateIssued.of({ ...certificate, token: hash }),
    ]
    return { entries, reply: () => ({ ...certificate, isNew: true }) }
  },
})

export const memberCertify = defineCommand({
  name: 'delos.member.certify',
  summary: 'Note the certificate that a server made for itself; what servers ask of their leader.',
  role: 'admin',
  input: certificateSchema,
  output: certificateSchema,
  decide: (db, certificate) => {
    const before = certificateOfKey(db, certificate.key)
    if (before !== null && before.server !== certificate.server) return conflict(`The key is that of server ${before.server}.`)
    const isKnown = before?.serial === certificate.serial
    return { entries: isKnown ? [] : [certificateIssued.of({ ...certificate, token: null })], reply: () => certificate }
  },
})

const conflict = (message: string): MusterError => refuse('DELOS_CONFLICT', message)

export const memberOperations = [memberToken, memberJoin, memberCertify]
