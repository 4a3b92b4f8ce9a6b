import { AGENT_TOKEN_PREFIX } from '../../core/contracts/agent-token.ts'
import { nodeTokenIssue } from '../../core/tw/operations.ts'
import type { ServerHost } from '../host.ts'
import { tokenAction, type TokenIssuer } from '../one-time-token.ts'

/** Carries `tw.node.token` out: with it the agent of another machine may join. */
export function createNodeTokenAction({
  run,
  ...issuer
}: Pick<TokenIssuer, 'authority' | 'cluster' | 'position' | 'open'> & { run: ServerHost['run'] }) {
  return tokenAction({
    ...issuer,
    issue: (token, actor) => run(nodeTokenIssue, token, actor),
    entry: 'tw.NodeTokenIssued',
    table: 'tw_node_token',
    prefix: AGENT_TOKEN_PREFIX,
  })
}
