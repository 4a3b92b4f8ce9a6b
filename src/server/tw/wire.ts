import { nodeToken } from '../../core/tw/operations.ts'
import type { TwSoft } from '../../core/tw/queries.ts'
import { twSystem } from '../../core/tw/system.ts'
import type { ServerHost, Wiring } from '../host.ts'
import type { AgentHub } from './agents.ts'
import { textOf } from '../../platform/streams.ts'
import { askAgent, placesOf, type TaskPlace } from './ask-agent.ts'
import { execRoutes } from './exec.ts'
import { logRoutes } from './logs.ts'

/** tw's adapters: beats for its controllers, logs and exec through the agents' sockets. */
export function wireTw(host: ServerHost, hub: AgentHub, nodeTokenAction: NonNullable<Wiring['plannedActions']>[string]): Wiring {
  const soft = (): TwSoft => ({ beats: hub.beats, looks: hub.looks })
  return {
    soft: Object.fromEntries(twSystem.controllers.map(({ name }) => [name, soft])),
    plannedActions: { [nodeToken.name]: nodeTokenAction },
    actions: {
      'tw.task.exec': async ({ task }: { task: string }) => {
        const place = placesOf(host, task)[0] as TaskPlace
        const entrance = JSON.parse(await textOf(await askAgent(host, place.node, `/exec?task=${place.id}`))) as object
        return { ...entrance, isHere: !hub.isRemote(place.node) && !hub.servers.has(place.node) }
      },
      'tw.task.signal': async ({ task, signal }: { task: string; signal: string }) => {
        const place = placesOf(host, task)[0] as TaskPlace
        await textOf(await askAgent(host, place.node, `/task/${place.id}/signal?signal=${signal}`, 'POST'))
        return { task: place.task, node: place.node }
      },
    },
    routes: (app) => {
      logRoutes(app, host)
      execRoutes(app, host)
    },
    stop: async () => hub.stop(),
  }
}
