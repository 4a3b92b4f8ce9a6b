import { Agent, request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import { refuse } from '../../core/kernel/errors.ts'

/*
 * How an agent of another machine is asked something: it may sit behind a router that lets nothing in. So it is told over its stream to
 * connect once more, with a ticket, and that connection is used the other way round.
 */

/** Said with a request for another server's machine: the ticket of the connection that will come there. */
export const TICKET_HEADER = 'x-muster-ticket'

/** Longest wait for the agent to come. */
const COME_MS = 5000

export interface DialBack {
  /** The connection that comes with this ticket. Rejects with UNAVAILABLE when none does. */
  take: (ticket: string) => Promise<Duplex>
  /** An agent came with a ticket; false: nobody waits for it any more. */
  arrive: (ticket: string, socket: Duplex) => boolean
}

/** An agent may be faster than the server that passes the question on, so whoever comes first waits. */
export function createDialBack(): DialBack {
  const waiting = new Map<string, (socket: Duplex) => void>()
  const here = new Map<string, Duplex>()
  const drop = (ticket: string): void => {
    here.get(ticket)?.destroy()
    here.delete(ticket)
  }
  return {
    take: (ticket) => {
      const found = here.get(ticket)
      here.delete(ticket)
      if (found !== undefined && !found.destroyed) return Promise.resolve(found)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(ticket)
          reject(refuse('UNAVAILABLE', `the agent did not connect within ${COME_MS / 1000} s`))
        }, COME_MS)
        waiting.set(ticket, (socket) => {
          clearTimeout(timer)
          waiting.delete(ticket)
          resolve(socket)
        })
      })
    },
    arrive: (ticket, socket) => {
      const taker = waiting.get(ticket)
      if (taker !== undefined) {
        taker(socket)
        return true
      }
      if (here.has(ticket)) return false
      here.set(ticket, socket)
      socket.once('error', () => drop(ticket))
      setTimeout(() => drop(ticket), COME_MS).unref()
      return true
    },
  }
}

/** A request on the connection that comes with the ticket. */
export function askBack(
  dialBack: DialBack,
  ticket: string,
  options: RequestOptions,
  answer: (response: IncomingMessage) => void,
): ClientRequest {
  const agent = new Agent({ keepAlive: false })
  agent.createConnection = (_options, done): Duplex => {
    const connect = async (): Promise<void> => {
      let socket: Duplex
      try {
        socket = await dialBack.take(ticket)
      } catch (error) {
        return done?.(error as Error, undefined as never)
      }
      done?.(null, socket)
    }
    void connect()
    return undefined as never
  }
  return request({ ...options, agent }, answer)
}
