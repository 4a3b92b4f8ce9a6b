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

/** The longest name that an entry of the store's log takes, in UTF-8 three bytes a char at worst. */
const ACTOR_CHARS_MAX = 80

/** A call of this process itself, on behalf of somebody who was let in by it. */
export class LocalCall implements Call {
  readonly token = ''
  readonly commonName = ''
  readonly peer = ''
  readonly requiresLeader = false
  readonly actor: string
  readonly #signal: AbortSignal | null

  constructor(actor: string, signal: AbortSignal | null = null) {
    this.actor = actor.toWellFormed().slice(0, ACTOR_CHARS_MAX)
    this.#signal = signal
  }

  onCancel(listener: () => void): void {
    this.#signal?.addEventListener('abort', listener, { once: true })
  }
}

/**
 * Who may do what here was decided before: without users of the store's own, its log keeps the name; with them, the process acts as
 * root, whom they always have.
 */
export function identifyLocal(store: KvStore, others: Identify): Identify {
  return (call) => {
    if (!(call instanceof LocalCall)) return others(call)
    return store.isAuthEnabled ? { user: 'root', authRevision: store.authRevision } : { user: call.actor, authRevision: 0 }
  }
}
