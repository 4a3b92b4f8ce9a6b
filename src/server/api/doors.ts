import { chmodSync, existsSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, ListenOptions } from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { refuse } from '../../core/kernel/errors.ts'

/** Where a request comes in: the socket, whose users are its owner; TCP, with tokens; another server, which knows who asks. */
export type Door = 'socket' | 'tcp' | 'server'

/** What answers at each door. */
export type House = Record<Door, FastifyInstance>

/** The listeners of the HTTP interface. Who answers behind them changes while they stay open. */
export interface Doors {
  /** From now on these answer; requests that are under way stay with whoever has them. */
  lead: (house: House) => Promise<void>
  /** Answers a request of a browser, whose caller is known (`callers.ts`), as one over TCP. */
  pass: (request: IncomingMessage, response: ServerResponse) => void
  openSocket: (path: string) => Promise<void>
  /** Gives the address it really has: port 0 asks for a free one. Rejects with PORT_TAKEN or USAGE. */
  openTcp: (address: string) => Promise<string>
  /** Another server's connection. */
  take: (socket: Duplex) => void
  /** A connection as another server would make it. */
  openSelf: () => Duplex
  close: () => Promise<void>
}

export function createDoors(): Doors {
  let house: House | null = null
  const listeners = new Map<Door, Server>()

  const answer = (door: Door, request: IncomingMessage, response: ServerResponse): void => {
    if (house !== null) house[door].routing(request, response)
    else response.writeHead(503, { 'retry-after': '1' }).end()
  }
  const listenerOf = (door: Door): Server => {
    const handle = (request: IncomingMessage, response: ServerResponse): void => answer(door, request, response)
    const found = listeners.get(door)
    if (found !== undefined) return found
    // An upload takes as long as it takes.
    const server = createServer({ requestTimeout: 0, keepAliveTimeout: 72_000 }, handle)
    listeners.set(door, server)
    // It gets its connections from us; without this it would not watch over their timeouts.
    if (door === 'server') server.emit('listening')
    return server
  }
  const listen = (server: Server, options: ListenOptions): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(options, () => {
        server.off('error', reject)
        resolve()
      })
    })

  const take = (socket: Duplex): void => {
    listenerOf('server').emit('connection', socket)
    socket.resume()
  }

  return {
    lead: async (next) => {
      for (const app of Object.values(next)) await app.ready()
      house = next
    },
    pass: (request, response) => answer('tcp', request, response),
    openSocket: async (path) => {
      // That of a killed server is in the way; the lock says that nobody uses it.
      if (existsSync(path)) rmSync(path)
      await listen(listenerOf('socket'), { path })
      chmodSync(path, 0o600)
    },
    openTcp: async (address) => {
      const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? []
      if (host === undefined) throw refuse('USAGE', `--listen wants HOST:PORT, not "${address}"`)
      const server = listenerOf('tcp')
      try {
        await listen(server, { host: host.replace(/^\[|\]$/g, ''), port: Number(port) })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw refuse('PORT_TAKEN', `${address} is in use`, { cause: error })
        throw error
      }
      const taken = server.address() as AddressInfo
      return `${taken.family === 'IPv6' ? `[${taken.address}]` : taken.address}:${taken.port}`
    },
    take,
    openSelf: () => {
      const [ours, theirs] = duplexPair()
      take(theirs)
      return ours
    },
    close: async () => {
      for (const server of listeners.values()) {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()))
        server.closeAllConnections()
        if (server.listening) await closed
      }
    },
  }
}
