import type { Server } from 'node:net'
import { hashText } from '../../core/kernel/hash.ts'

const SERVICE_PORT_FIRST = 16_000
const SERVICE_PORTS = 4000
const GATEWAY_TRIES = 2000

/** Where a service's port on a node is looked for first: the same at every start, apart for different nodes. */
export function wantedServicePort(node: string, service: string): number {
  return SERVICE_PORT_FIRST + (hashText(`${node}/${service}`) % SERVICE_PORTS)
}

/** Listens on 127.0.0.1 at `wanted`, or at the next free port above it; 0: any free one. Gives the port. */
export async function listenFrom(server: Server, wanted: number): Promise<number> {
  for (let i = 0; i < GATEWAY_TRIES; i += 1) {
    if (await tryListen(server, wanted === 0 ? 0 : wanted + i)) return portOf(server)
  }
  throw new Error(`no free port from ${wanted} on`)
}

/** Listens on 127.0.0.1 at `wanted` or the next free port of the range 16000–19999, which wraps. */
export async function listenInRange(server: Server, wanted: number): Promise<number> {
  for (let i = 0; i < SERVICE_PORTS; i += 1) {
    const port = SERVICE_PORT_FIRST + ((wanted - SERVICE_PORT_FIRST + i) % SERVICE_PORTS)
    if (await tryListen(server, port)) return portOf(server)
  }
  throw new Error('no free port in 16000–19999')
}

function portOf(server: Server): number {
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

function tryListen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.off('listening', onListening)
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
      else reject(error)
    }
    const onListening = (): void => {
      server.off('error', onError)
      resolve(true)
    }
    server.once('error', onError)
    server.once('listening', onListening)
    server.listen({ host: '127.0.0.1', port, backlog: 4096 })
  })
}
