import type { FastifyInstance } from 'fastify'
import { refuse } from '../../core/kernel/errors.ts'
import type { ServerHost } from '../host.ts'
import { placesOf } from './ask-agent.ts'

/**
 * `POST /v1/tw/run?task=web/api[0]&word=env&size=[24,80]`: runs a command beside a task, wherever its node is. Frames up and down
 * (`platform/exec-frames.ts`); absent `size`: without a terminal.
 */
export function execRoutes(app: FastifyInstance, host: ServerHost): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    scope.post('/v1/tw/run', { bodyLimit: Number.MAX_SAFE_INTEGER }, async (request, reply) => {
      const query = new URLSearchParams((request.raw.url ?? '').split('?')[1] ?? '')
      const [place] = placesOf(host, query.get('task') ?? '')
      if (place === undefined) throw refuse('TW_TASK_UNKNOWN', `there is no task ${query.get('task')}`)
      query.set('task', String(place.id))
      const asking = host.askAgent(place.node, { path: `/run?${query}`, method: 'POST' }, (answer) => {
        reply.raw.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? 'text/plain' })
        reply.raw.flushHeaders()
        answer.pipe(reply.raw)
        answer.once('error', () => reply.raw.destroy())
      })
      reply.hijack()
      asking.once('error', (error) => {
        if (reply.raw.headersSent) return void reply.raw.destroy()
        const refusal = refuse('UNAVAILABLE', `agent ${place.node} does not answer: ${error.message}`)
        reply.raw.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: false, error: refusal }))
      })
      reply.raw.once('close', () => asking.destroy())
      // A shell prompts before anything is typed.
      asking.flushHeaders()
      request.raw.pipe(asking)
    })
  })
}
