import type { EventSender } from './events.ts'
import type { Exchange } from './exchange.ts'
import type { Service } from './service.ts'
import type { ClientConnection } from './client-connection.ts'

/** What all connections of one proxy share. */
export interface ProxyContext {
  node: string
  region: string
  services: ReadonlyMap<string, Service>
  events: EventSender
  exchanges: Set<Exchange>
  clients: Set<ClientConnection>
  /** stopping: requests that run finish, connections close after them */
  isDraining: boolean
  /** answers to requests that never reached a service, by reason */
  refusals: Map<string, number>
}

/** ms from an arbitrary start, never set back. Also the clock of ejections and budgets. */
export function monotonicMs(): number {
  return performance.now()
}
