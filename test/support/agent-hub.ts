import { createServer, type Server } from 'node:http'
import { rmSync } from 'node:fs'
import Fastify from 'fastify'
import type { Entry } from '../../src/core/contracts/entry.ts'
import type { Reign } from '../../src/core/contracts/node.ts'
import { twSystem } from '../../src/core/tw/system.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { setCallerOf } from '../../src/server/api/callers.ts'
import type { ServerHost } from '../../src/server/host.ts'
import { createAgentHub, type AgentHub } from '../../src/server/tw/agents.ts'
import { createTaskTokens } from '../../src/server/tw/task-tokens.ts'
import { newState, type TestState } from './state.ts'

/** The server's end of agents as it is, on a state in memory and a real socket. */
export interface TestHub {
  state: TestState
  hub: AgentHub
  /** under which it decides; null: it leads no more */
  reign: { now: Reign | null }
  /** entries the hub had appended, by type */
  appended: string[]
  /** Appends as somebody else would: the hub is told. */
  told: (work: () => void) => void
  close: () => Promise<void>
}

/** @param relaysFrom above how many agents they beat over relays */
export async function openTestHub(socket: string, relaysFrom?: number): Promise<TestHub> {
  const state = newState([twSystem])
  const listeners = new Set<(entries: readonly Entry[]) => void>()
  const appended: string[] = []
  const told = (work: () => void): void => {
    const before = state.entries.length
    work()
    const entries = state.entries.slice(before)
    if (entries.length > 0) for (const listener of listeners) listener(entries)
  }
  const host = {
    paths: { socket },
    log: createLogger(null),
    db: state.db,
    position: () => state.entries.length + 1,
    now: state.now,
    run: async (command, input, actor) => {
      const before = state.entries.length
      let answer: unknown
      told(() => (answer = state.run(command, input, actor)))
      appended.push(...state.entries.slice(before).map(({ type }) => type))
      return answer as never
    },
    onEntries: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    telemetry: () => {},
  } satisfies Partial<Omit<ServerHost, 'paths'>> & { paths: object } as unknown as ServerHost
  const reign: TestHub['reign'] = { now: { cluster: 'c', term: 1 } }
  const hub = createAgentHub(
    host,
    createTaskTokens(async () => 'key'),
    () => {},
    () => reign.now,
    () => true,
    relaysFrom,
  )
  const app = Fastify()
  hub.routes(app)
  await app.ready()
  rmSync(socket, { force: true })
  const server: Server = createServer({ requestTimeout: 0 }, (request, response) => {
    setCallerOf(request, { actor: String(request.headers['x-test-actor'] ?? 'user:test'), role: 'operator' })
    app.routing(request, response)
  })
  await new Promise<void>((resolve) => server.listen({ path: socket, backlog: 16_384 }, resolve))
  hub.start()
  return {
    ...{ state, hub, reign, appended, told },
    close: async () => {
      hub.stop()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await app.close()
    },
  }
}
