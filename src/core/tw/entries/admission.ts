import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { hashSchema, nodeNameSchema } from '../nodes/admission.ts'
import { agentPortSchema } from '../nodes/agent-ports.ts'
import { note } from './marks.ts'

/** How long a token is remembered after its time: so long it is told apart from one that never was. */
const TOKEN_MEMORY_MS = 7 * 86_400_000

/** A token was made by which an agent may join. Its secret is nowhere but with whom it was given to. */
export const nodeTokenIssued = defineEntry({
  type: 'tw.NodeTokenIssued',
  body: z.object({ hash: hashSchema, uses: z.int().min(1), until: z.int() }),
  apply: (db, { hash, uses, until }, meta) => {
    db.run('DELETE FROM tw_node_token WHERE until < ?', meta.at - TOKEN_MEMORY_MS)
    db.run(
      'INSERT OR REPLACE INTO tw_node_token (hash, uses, used, until, author, at) VALUES (?, ?, 0, ?, ?, ?)',
      hash,
      uses,
      until,
      meta.actor,
      meta.at,
    )
  },
})

/** An agent came by a token: whoever has this key speaks for the node from now on. */
export const nodeAdmitted = defineEntry({
  type: 'tw.NodeAdmitted',
  body: z.object({ node: nodeNameSchema, key: hashSchema, token: hashSchema }),
  notable: ({ node, token }) => note('node', node, null, `an agent was let in as node ${node}, by token ${token.slice(0, 8)}`),
  apply: (db, { node, key, token }, meta) => {
    db.run('UPDATE tw_node_token SET used = used + 1 WHERE hash = ?', token)
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
