import { z } from 'zod'
import { defineAction, defineCommand } from '../../contracts/operation.ts'
import { hashSchema, tokenAnswerSchema, tokenLimits } from '../../contracts/one-time-token.ts'
import { refuse } from '../../kernel/errors.ts'
import { formatDuration } from '../../kernel/units.ts'
import { agentPortSet, nodeAdmitted, nodeTokenIssued } from '../entries/admission.ts'
import { nodeKeyRow, nodeNameSchema, nodeTokens } from '../nodes/admission.ts'
import { agentPorts, agentPortSchema } from '../nodes/agent-ports.ts'
import { nodeRow } from '../rows.ts'

const limits = tokenLimits(10_000)

/** An action: its secret is random, and the port that agents come to is opened with the first one. */
export const nodeToken = defineAction({
  name: 'tw.node.token',
  summary: 'Make a token with which the agent of another machine may join; it is shown once.',
  role: 'admin',
  isMutation: true,
  hasPlan: true,
  input: z.object(limits),
  output: tokenAnswerSchema,
})

/** The part of `nodeToken` that is logged; no route of its own. */
export const nodeTokenIssue = defineCommand({
  name: 'tw.node.issue',
  summary: 'Let the secret of this hash be good to join with.',
  role: 'admin',
  input: z.object({ ...limits, hash: hashSchema }),
  output: z.object({ until: z.int() }),
  decide: (_db, { hash, ttlMs, uses }, { now }) => {
    const until = now + ttlMs
    return { entries: [nodeTokenIssued.of({ hash, uses, until })], reply: () => ({ until }) }
  },
})

/**
 * One use of a token is one node: who asks again with the same key, because the answer was lost, is let in again and uses nothing up.
 * A name that another key, or an agent beside a server, speaks for is refused: else a second machine would end the tasks of the first.
 */
export const nodeAdmit = defineCommand({
  name: 'tw.node.admit',
  summary: 'Use up a token for an agent that comes with it; what servers ask of their leader.',
  role: 'admin',
  input: z.object({
    node: nodeNameSchema,
    /** of its public key */
    key: hashSchema,
    /** of the token's secret */
    token: hashSchema,
  }),
  output: z.object({ node: z.string(), isNew: z.boolean() }),
  decide: (db, { node, key, token: hash }, { now }) => {
    const token = nodeTokens.read(db, hash)
    if (token === undefined) return refuse('TW_TOKEN_UNKNOWN', 'no such token was given, or it was forgotten long after its time')
    if (token.until <= now) return refuse('TW_TOKEN_EXPIRED', `the time of the token was over ${formatDuration(now - token.until)} ago`)
    const known = nodeKeyRow(db, node)
    if (known?.key === key && known.token === hash) return { entries: [], reply: () => ({ node, isNew: false }) }
    if (token.used >= token.uses)
      return refuse('TW_TOKEN_USED', `the token was for ${token.uses} node${token.uses === 1 ? '' : 's'}, and so many have joined by it`)
    if (known !== undefined && known.key !== key)
      return refuse('TW_NODE_CLAIMED', `another agent, with a key of its own, is the node ${node}`, {
        hint: `Take another --name; or, if that machine is gone, \`muster tw node retire ${node}\` first.`,
      })
    if (known === undefined && nodeRow(db, node) !== undefined)
      return refuse('TW_NODE_CLAIMED', `the node ${node} is on the machine of a server`, { hint: 'Take another --name.' })
    return { entries: [nodeAdmitted.of({ node, key, token: hash })], reply: () => ({ node, isNew: true }) }
  },
})

/** A server's own word about itself, as soon as its port is open. */
export const agentPort = defineCommand({
  name: 'tw.node.port',
  summary: 'Say where a server is reached by agents of other machines.',
  role: 'admin',
  input: agentPortSchema,
  output: agentPortSchema,
  decide: (db, port) => {
    const isKnown = agentPorts(db).some(({ server, address }) => server === port.server && address === port.address)
    return { entries: isKnown ? [] : [agentPortSet.of(port)], reply: () => port }
  },
})
