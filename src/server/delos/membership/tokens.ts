import { memberIssue } from '../../../core/delos/operations.ts'
import type { ServerHost } from '../../host.ts'
import { tokenAction, type TokenIssuer } from '../../one-time-token.ts'
import type { Identity } from '../../state/identity.ts'

/** Carries `delos.member.token` out: with it a server may join. */
export function createTokenAction({
  identity,
  run,
  ...issuer
}: Pick<TokenIssuer, 'authority' | 'position' | 'open'> & { identity: Identity; run: ServerHost['run'] }) {
  return tokenAction({
    ...issuer,
    cluster: identity.cluster,
    issue: (token, actor) => run(memberIssue, token, actor),
    entry: 'delos.JoinTokenIssued',
    table: 'delos_token',
    prefix: '',
  })
}
