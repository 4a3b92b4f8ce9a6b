import type { AuthChange, Identity } from '../../../core/delos/kv/command.ts'
import { isRpcError, KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Call, EtcdService, Reply, RpcError } from '../../../core/delos/wire/service.ts'
import type { Identify } from './identity.ts'
import { type HeaderSource, sealHeader } from './kv-service.ts'
import { checkPassword, hashPassword } from './passwords.ts'
import type { Replica } from './replica.ts'
import type { Tokens } from './tokens.ts'

type AuthService = Pick<EtcdService, Extract<keyof EtcdService, `Auth/${string}`>>

/** Users, roles and logging in. Passwords are hashed here, before anything is logged. */
export function authService(replica: Replica, identify: Identify, headers: HeaderSource, tokens: Tokens): AuthService {
  const { store } = replica

  const change = <Response extends m.HeaderOnly>(call: Call, reply: Reply<Response>, of: AuthChange | Promise<AuthChange>): void => {
    const who = identify(call)
    if (isRpcError(who)) return reply(who, null)
    const submit = (auth: AuthChange): void =>
      replica.submit({ kind: 'auth', change: auth, who }, null, (error, response) => {
        if (error !== null) reply(error, null)
        else reply(null, sealHeader(response as m.HeaderOnly, headers) as Response)
      })
    if (of instanceof Promise) of.then(submit, (error: unknown) => reply({ code: 13, text: String(error) }, null))
    else submit(of)
  }

  const read = <Response extends { header: m.ResponseHeader }>(
    call: Call,
    reply: Reply<Response>,
    answer: (who: Identity) => Response | RpcError,
  ): void => {
    const who = identify(call)
    if (isRpcError(who)) return reply(who, null)
    replica.linearizable(
      () => answer(who),
      (error, given) => {
        if (error !== null) reply(error, null)
        else if (isRpcError(given as object)) reply(given as RpcError, null)
        else reply(null, sealHeader(given as Response, headers))
      },
    )
  }

  const hashOf = async (password: string, isNone: boolean): Promise<string> => (isNone ? '' : hashPassword(password))

  const authenticate = async ({ name, password }: m.AuthenticateRequest): Promise<m.AuthenticateResponse | RpcError> => {
    let hash = ''
    const first = store.authenticate(name, (kept) => {
      hash = kept
      return true
    })
    if (isRpcError(first)) return first
    const isRight = await checkPassword(password, hash)
    // Asked again: users may have changed while the hash was made.
    const identity = store.authenticate(name, (kept) => kept === hash && isRight)
    if (isRpcError(identity)) return identity
    const header = { cluster_id: 0n, member_id: 0n, revision: store.revision, raft_term: 0 }
    return { header, token: tokens.issue(identity) }
  }

  return {
    'Auth/AuthEnable': (_request, _raw, call, reply) => change(call, reply, { kind: 'enable' }),
    'Auth/AuthDisable': (_request, _raw, call, reply) => change(call, reply, { kind: 'disable' }),
    'Auth/AuthStatus': (_request, _raw, call, reply) => read(call, reply, () => store.authStatus()),
    'Auth/Authenticate': (request, _raw, _call, reply) => {
      authenticate(request).then(
        (answer) => (isRpcError(answer) ? reply(answer, null) : reply(null, sealHeader(answer, headers))),
        (error: unknown) => reply({ code: 13, text: String(error) }, null),
      )
    },
    'Auth/UserAdd': (request, _raw, call, reply) => {
      const noPassword = request.options?.no_password ?? false
      change(
        call,
        reply,
        hashOf(request.password, noPassword).then((passwordHash) => ({ kind: 'userAdd', name: request.name, passwordHash, noPassword })),
      )
    },
    'Auth/UserGet': (request, _raw, call, reply) => read(call, reply, (who) => store.userGet(request.name, who)),
    'Auth/UserList': (_request, _raw, call, reply) => read(call, reply, (who) => store.userList(who)),
    'Auth/UserDelete': (request, _raw, call, reply) => change(call, reply, { kind: 'userDelete', name: request.name }),
    'Auth/UserChangePassword': (request, _raw, call, reply) =>
      change(
        call,
        reply,
        hashOf(request.password, false).then((passwordHash) => ({ kind: 'userChangePassword', name: request.name, passwordHash })),
      ),
    'Auth/UserGrantRole': (request, _raw, call, reply) =>
      change(call, reply, { kind: 'userGrantRole', user: request.user, role: request.role }),
    'Auth/UserRevokeRole': (request, _raw, call, reply) =>
      change(call, reply, { kind: 'userRevokeRole', user: request.name, role: request.role }),
    'Auth/RoleAdd': (request, _raw, call, reply) => change(call, reply, { kind: 'roleAdd', role: request.name }),
    'Auth/RoleGet': (request, _raw, call, reply) => read(call, reply, (who) => store.roleGet(request.role, who)),
    'Auth/RoleList': (_request, _raw, call, reply) => read(call, reply, (who) => store.roleList(who)),
    'Auth/RoleDelete': (request, _raw, call, reply) => change(call, reply, { kind: 'roleDelete', role: request.role }),
    'Auth/RoleGrantPermission': (request, _raw, call, reply) => {
      const { perm: permission } = request
      if (permission === null) return reply(KV_ERRORS.permissionNotGiven, null)
      change(call, reply, { kind: 'roleGrantPermission', role: request.name, permission })
    },
    'Auth/RoleRevokePermission': (request, _raw, call, reply) =>
      change(call, reply, { kind: 'roleRevokePermission', role: request.role, key: request.key, rangeEnd: request.range_end }),
  }
}
