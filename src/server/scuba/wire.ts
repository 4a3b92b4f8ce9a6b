import type { z } from 'zod'
import type { AlertSoft } from '../../core/scuba/controller.ts'
import { ALERTS } from '../../core/scuba/controller.ts'
import type { scubaAlertTest } from '../../core/scuba/operations/alert.ts'
import type { scubaSloTest } from '../../core/scuba/operations/slo.ts'
import { SLOS } from '../../core/scuba/slo/controller.ts'
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
import { createAlertEvaluator } from './alert-evaluator.ts'
import type { ScubaClient } from './client.ts'
import { testAlert } from './test-alert.ts'
import { createHeartbeat } from './heartbeat.ts'
import { END_LEAF } from '../../core/scuba/shards/leave.ts'
import { endLeaf } from './join-leaf.ts'
import { leafRoutes } from './leaf-routes.ts'
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
