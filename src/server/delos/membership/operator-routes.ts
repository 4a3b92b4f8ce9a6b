import type { FastifyInstance } from 'fastify'
import { refuse } from '../../../core/kernel/errors.ts'
import { callerOf } from '../../api/callers.ts'
import { mayAct } from '../../api/roles.ts'
import type { JsonCall } from '../etcd/port.ts'
import { ADMIN_ROOT } from '../serve/admin.ts'
import { LocalCall } from '../store/identity.ts'

/** On whose behalf a log is changed, while it is. */
export type During = <T>(log: 'control' | 'kv', actor: string, work: () => Promise<T>) => Promise<T>

/** `POST /v1/delos/operator/LOG/CALL`: the calls of `serve/admin.ts` about one of a fleet's logs, for its admins. */
export function operatorRoutes(app: FastifyInstance, calls: Record<'control' | 'kv', Record<string, JsonCall>>, during: During): void {
  app.post<{ Params: { log: string; '*': string } }>('/v1/delos/operator/:log/*', async (request, reply) => {
    const caller = callerOf(request)
    if (!mayAct(caller.role, 'admin')) throw refuse('NOT_PERMITTED', `this needs the role admin; ${caller.actor} has ${caller.role}`)
    const { log, '*': path } = request.params
    const known = log === 'control' || log === 'kv' ? log : null
    const call = known === null ? undefined : calls[known][`${ADMIN_ROOT}/${path}`]
    if (known === null || call === undefined) throw refuse('NOT_FOUND', `nothing answers ${request.url}`)
    const { status, type, body } = await during(known, caller.actor, () => call(request.body ?? {}, new LocalCall(caller.actor)))
    return reply.code(status).type(type).send(body)
  })
}
