import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { hashSchema, tokenIssuedSchema } from '../../contracts/one-time-token.ts'
import { nodeNameSchema, nodeTokens } from '../nodes/admission.ts'
import { agentPortSchema } from '../nodes/agent-ports.ts'
import { note } from './marks.ts'

/** A token was made by which an agent may join. Its secret is nowhere but with whom it was given to. */
export const nodeTokenIssued = defineEntry({
  type: 'tw.NodeTokenIssued',
  body: tokenIssuedSchema,
  apply: nodeTokens.issue,
})

/** An agent came by a token: whoever has this key speaks for the node from now on. */
export const nodeAdmitted = defineEntry({
  type: 'tw.NodeAdmitted',
  body: z.object({ node: nodeNameSchema, key: hashSchema, token: hashSchema }),
  notable: ({ node, token }) => note('node', node, null, `an agent was let in as node ${node}, by token ${token.slice(0, 8)}`),
  apply: (db, { node, key, token }, meta) => {
    nodeTokens.use(db, token)
    db.run('INSERT OR REPLACE INTO tw_node_key (node, key, token, at) VALUES (?, ?, ?, ?)', node, key, token, meta.at)
  },
})

/** A server answers agents of other machines there from now on; they are told, and go there when theirs is away. */
export const agentPortSet = defineEntry({
  type: 'tw.AgentPortSet',
  body: agentPortSchema,
  apply: (db, { server, address }) => {
    db.run('INSERT OR REPLACE INTO tw_agent_port (server, address) VALUES (?, ?)', server, address)
  },
})

export const ADMISSION_ENTRIES = [nodeTokenIssued, nodeAdmitted, agentPortSet] as const
