import type { FastifyInstance } from 'fastify'
import { refuse } from '../../../core/kernel/errors.ts'
import { callerOf } from '../../api/callers.ts'
import { mayAct } from '../../api/roles.ts'
import type { JsonCall } from '../etcd/port.ts'
import { ADMIN_ROOT } from '../serve/admin.ts'
import { LocalCall } from '../store/identity.ts'

/** `POST /v1/delos/operator/LOG/CALL`: the calls of `serve/admin.ts` about one of a fleet's logs, for its admins. */
export function operatorRoutes(app: FastifyInstance, calls: Record<'control' | 'kv', Record<string, JsonCall>>): void {
  app.post<{ Params: { log: string; '*': string } }>('/v1/delos/operator/:log/*', async (request, reply) => {
    const caller = callerOf(request)
    if (!mayAct(caller.role, 'admin')) throw refuse('NOT_PERMITTED', `this needs the role admin; ${caller.actor} has ${caller.role}`)
    const { log, '*': path } = request.params
    const call = log === 'control' || log === 'kv' ? calls[log][`${ADMIN_ROOT}/${path}`] : undefined
    if (call === undefined) throw refuse('NOT_FOUND', `nothing answers ${request.url}`)
    const { status, type, body } = await call(request.body ?? {}, new LocalCall(caller.actor))
    return reply.code(status).type(type).send(body)
  })
}
