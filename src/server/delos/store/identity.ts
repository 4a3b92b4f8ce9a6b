import { NOBODY, type Identity } from '../../../core/delos/kv/command.ts'
import { KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type { KvStore } from '../../../core/delos/kv/store-contract.ts'
import type { Call, RpcError } from '../../../core/delos/wire/service.ts'
import type { Tokens } from './tokens.ts'

/** Who a call comes from: by its token, else by its certificate, else nobody. */
export type Identify = (call: Call) => Identity | RpcError

export function identifyBy(store: KvStore, tokens: Tokens): Identify {
  return (call) => {
    if (!store.isAuthEnabled) return NOBODY
    if (call.token !== '') {
      const claims = tokens.read(call.token)
      // Users and roles have changed since: the client has to log in again, as its library does by itself for this answer.
      if (claims === null || claims.authRevision !== store.authRevision) return KV_ERRORS.invalidAuthToken
      return claims
    }
    return (call.commonName === '' ? null : store.identityOfCommonName(call.commonName)) ?? NOBODY
  }
}
