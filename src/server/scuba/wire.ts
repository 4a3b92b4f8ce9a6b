import { Agent, request as httpRequest } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import type { AlertSoft } from '../../core/scuba/controller.ts'
import { ALERTS } from '../../core/scuba/controller.ts'
import type { scubaAlertTest } from '../../core/scuba/operations/alert.ts'
import type { scubaSloTest } from '../../core/scuba/operations/slo.ts'
import { LEAF_ROUTES } from '../../core/scuba/routes.ts'
import { SLOS } from '../../core/scuba/slo/controller.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { WATCHDOG, type WatchdogSoft } from '../../core/sev/controllers/watchdog.ts'
import type {
  DiffRequest,
  ExplainRequest,
  FunnelRequest,
  LiveRequest,
  PanelRequest,
  QueryRequest,
  SessionsRequest,
  TraceRequest,
} from '../../core/scuba/wire-types.ts'
import type { ActionContext, ServerHost, Wiring } from '../host.ts'
import { callerOf } from '../api/callers.ts'
import { createAlertEvaluator } from './alert-evaluator.ts'
import type { ScubaClient } from './client.ts'
import { testAlert } from './test-alert.ts'
import { createHeartbeat } from './heartbeat.ts'
import { END_LEAF } from '../../core/scuba/shards/leave.ts'
import { endLeaf } from './join-leaf.ts'
import { wireRegistry } from './registry-wiring.ts'
import { createSloStatus } from './slo/status.ts'
import { testSlo } from './slo/test-slo.ts'
import { createSloTracker } from './slo/tracker.ts'

/** Scuba's adapters: queries go to the leaf, rows and tails pass through, alert rules are evaluated on time. */
export function wireScuba(host: ServerHost, client: ScubaClient): Wiring {
  const heartbeat = createHeartbeat(client)
  const evaluator = createAlertEvaluator(host, client, () => heartbeat.looked('alerts'))
  const registry = wireRegistry(host, client)
  const tracker = createSloTracker(host, client, () => heartbeat.looked('slos'))
  return {
    soft: {
      [ALERTS]: (): AlertSoft => ({ evaluations: evaluator.evaluations, late: (rule) => evaluator.late.of(rule) }),
      [SLOS]: () => tracker,
      [WATCHDOG]: (): WatchdogSoft => ({ scubaSilentMs: heartbeat.silentMs() }),
      ...registry.soft,
    },
    ...{ operationSoft: registry.operationSoft, plannedActions: registry.plannedActions },
    effects: { [END_LEAF]: ({ body }) => endLeaf(host, body as Parameters<typeof endLeaf>[1]) },
    actions: {
      'scuba.query': ({ sql, ...options }: QueryRequest, { signal, actor }: ActionContext) =>
        client.query(sql, options, signal, { user: actor }),
      'scuba.panel': (input: PanelRequest, { signal, actor }: ActionContext) => client.panel(input, signal, { user: actor }),
      'scuba.explain': (input: ExplainRequest, { signal, actor }: ActionContext) => client.explain(input, signal, { user: actor }),
      'scuba.panel.explain': (input: PanelRequest, { signal, actor }: ActionContext) => client.explainPanel(input, signal, { user: actor }),
      'scuba.diff': (input: DiffRequest, { signal, actor }: ActionContext) => client.diff(input, signal, { user: actor }),
      'scuba.funnel': (input: FunnelRequest, { signal, actor }: ActionContext) => client.funnel(input, signal, { user: actor }),
      'scuba.sessions': (input: SessionsRequest, { signal, actor }: ActionContext) => client.sessions(input, signal, { user: actor }),
      'scuba.trace': (input: TraceRequest, { signal, actor }: ActionContext) => client.trace(input, signal, { user: actor }),
      'scuba.live.read': (input: LiveRequest) => client.live(input),
      'scuba.alert.test': (input: z.output<typeof scubaAlertTest.input>) => testAlert(client, input, Date.now()),
      'scuba.slo.status': createSloStatus(host.db, tracker, client, host.now),
      'scuba.slo.test': (input: z.output<typeof scubaSloTest.input>) => testSlo(client, input, host.now()),
      'scuba.table.list': async () => ({ tables: await client.tables() }),
      ...registry.actions,
    },
    routes: (app) => leafRoutes(app, host.paths.scubaSocket),
    start: async () => {
      evaluator.start()
      tracker.start()
      heartbeat.start()
      await registry.start()
    },
    stop: async () => {
      evaluator.stop()
      tracker.stop()
      heartbeat.stop()
      await registry.stop()
    },
  }
}

/**
 * What the leaf answers by itself passes through to it as it is, in a scope of its own, so that bodies of any type are streamed and not parsed. Needs the role that the server's hook gave the caller.
 */
function leafRoutes(app: FastifyInstance, socketPath: string): void {
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
        config: { isRead },
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
