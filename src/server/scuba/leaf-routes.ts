import { Agent, request as httpRequest } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { LEAF_ROUTES } from '../../core/scuba/routes.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { callerOf } from '../api/callers.ts'

/**
 * What the leaf answers by itself passes through to it as it is, in a scope of its own, so that bodies of any type are streamed and not parsed. Needs the role that the server's hook gave the caller.
 */
export function leafRoutes(app: FastifyInstance, socketPath: string): void {
  // Kept connections: one that the leaf closes behind its answer can break the end of our writing before the answer is read (EPIPE).
  const agent = new Agent({ keepAlive: true })
  app.addHook('onClose', async () => agent.destroy())
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const { method, path, isRead } of LEAF_ROUTES) {
      scope.route({
        method,
        url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
        config: { isRead, isTakenHere: !isRead },
        bodyLimit: 64 * 1024 * 1024,
        handler: (request, reply) => {
          reply.hijack()
          const headers: Record<string, string> = {}
          for (const name of [
            'content-type',
            'content-encoding',
            'content-length',
            'transfer-encoding',
            'idempotency-key',
            'if-none-match',
            'accept-encoding',
          ]) {
            const value = request.headers[name]
            if (typeof value === 'string') headers[name] = value
          }
          // Quotas are of tokens, and questions of one user wait for each other.
          headers['x-muster-user'] = encodeURIComponent(callerOf(request).actor)
          const upstream = httpRequest({ socketPath, method, path: request.raw.url ?? '/', headers, agent }, (response) => {
            const { 'content-type': type = 'application/json' } = response.headers
            const passed: Record<string, string> = { 'content-type': type }
            for (const name of ['retry-after', 'etag', 'age', 'content-encoding']) {
              const value = response.headers[name]
              if (typeof value === 'string') passed[name] = value
            }
            reply.raw.writeHead(response.statusCode ?? 502, passed)
            response.pipe(reply.raw)
            response.once('error', () => reply.raw.destroy())
          })
          upstream.once('error', (error) => {
            if (reply.raw.headersSent) return void reply.raw.destroy()
            const refusal = refuse('SCUBA_DOWN', `the leaf does not answer (${(error as NodeJS.ErrnoException).code ?? error.message})`)
            reply.raw
              .writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' })
              .end(JSON.stringify({ ok: false, error: refusal }))
          })
          reply.raw.once('close', () => !reply.raw.writableFinished && upstream.destroy())
          request.raw.pipe(upstream)
        },
      })
    }
  })
}
