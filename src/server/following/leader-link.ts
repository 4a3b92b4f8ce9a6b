import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Peers } from '../delos/quorum/peers.ts'

/** Said by a server that was asked for the leader and is none: what was asked was not done. */
export const NOT_LEADER_HEADER = 'x-muster-not-leader'

/** The way to the server that leads, wherever it is. */
export interface LeaderLink {
  /** id of this server */
  self: bigint
  /** Its id; null while there is none. Waits up to `ms` for one. It may be this server, a moment before it has taken the lead. */
  find: (ms: number) => Promise<bigint | null>
  /** A request to another server, as a client makes it, on the connections between servers. */
  request: (to: bigint, options: RequestOptions, answer: (response: IncomingMessage) => void) => ClientRequest
  close: () => void
}

const LOOK_MS = 25

export interface LeaderLinkOptions {
  self: bigint
  /** A connection on which another server is asked what a client asks it. */
  openClient: Peers['openClient']
  /** The same, to this server itself. */
  openSelf: () => Duplex
  /** id of the leader as this server knows it; null: none */
  leader: () => bigint | null
}

export function openLeaderLink({ self, openClient, openSelf, leader }: LeaderLinkOptions): LeaderLink {
  const agents = new Map<bigint, Agent>()
  const agentOf = (id: bigint): Agent => {
    const found = agents.get(id)
    if (found !== undefined) return found
    const agent = new Agent({ keepAlive: id !== self })
    agent.createConnection = (_options, done): Duplex => {
      const connect = async (): Promise<void> => {
        let socket: Duplex
        try {
          socket = id === self ? openSelf() : await openClient(id)
        } catch (error) {
          return done?.(error as Error, undefined as never)
        }
        done?.(null, socket)
      }
      void connect()
      return undefined as never
    }
    agents.set(id, agent)
    return agent
  }
  return {
    self,
    find: async (ms) => {
      const untilMs = performance.now() + ms
      for (;;) {
        const id = leader()
        if (id !== null || performance.now() >= untilMs) return id
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      }
    },
    request: (to, options, answer) => httpRequest({ ...options, agent: agentOf(to) }, answer),
    close: () => {
      for (const agent of agents.values()) agent.destroy()
    },
  }
}
