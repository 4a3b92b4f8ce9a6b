import type { ChaosSoft } from '../../core/chaos/soft.ts'
import { environmentSet } from '../../core/chaos/operations.ts'
import { faultOrders, reportedFaults } from '../../core/chaos/queries.ts'
import type { ServerHost, Wiring } from '../host.ts'
import type { ScubaClient } from '../scuba/client.ts'
import type { AgentHub } from '../tw/agents.ts'
import { createGuardLoop } from './guard-loop.ts'

/** Chaos' adapters: orders to and reports from the agents, go tokens, and the loop that looks at the guards. */
export function wireChaos(host: ServerHost, hub: AgentHub, scuba: Pick<ScubaClient, 'live' | 'query'>): Wiring {
  const guards = createGuardLoop(host, scuba)
  hub.hooks.faultsOf = (node) => faultOrders(host.db, node)
  hub.hooks.go = guards.go
  hub.hooks.onFaults = (node, reports) => {
    // Most reports say what is known; only news is worth the sequencer.
    if (reportedFaults(host.db, node, reports).length === 0) return
    host
      .propose(`agent:${node}`, (db) => reportedFaults(db, node, reports))
      .catch((error: unknown) => {
        host.log.warn('a report of faults was not taken', { node, error: String(error) })
      })
  }
  return {
    soft: { 'chaos.runs': (): ChaosSoft => guards },
    start: async () => {
      const environment = process.env['MUSTER_ENVIRONMENT']
      if (environment) await host.run(environmentSet, { environment }, 'server')
      guards.start()
    },
    stop: async () => guards.stop(),
  }
}
