import { parseJoinToken, type JoinToken } from './join-token.ts'
import { isRefusal, refuse, type MusterError } from '../kernel/errors.ts'

/** Tells a token for agents from one for servers: each is for another port. */
export const AGENT_TOKEN_PREFIX = 'agent-'

/** The parts of a token of `muster tw node token`, or USAGE: what is wrong with it. Its secret is in no message. */
export function parseAgentToken(text: string): JoinToken | MusterError {
  const hint = 'Copy the whole line that `muster tw node token` printed.'
  const trimmed = text.trim()
  if (trimmed.startsWith('muster'))
    return refuse('USAGE', 'This token lets a server in, not an agent.', { hint: 'Make one with `muster tw node token`.' })
  if (!trimmed.startsWith(AGENT_TOKEN_PREFIX))
    return refuse('USAGE', `This is no token to join with: it does not begin with ${AGENT_TOKEN_PREFIX}.`, { hint })
  const token = parseJoinToken(trimmed.slice(AGENT_TOKEN_PREFIX.length))
  return isRefusal(token) ? refuse('USAGE', token.message, { hint }) : token
}
