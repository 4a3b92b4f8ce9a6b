import { createServer } from 'node:net'

/**
 * Ports from which one is chosen. They are below those of services and tasks (16000–31999), and below the kernel's
 * ephemeral range (32768 on): a port of that range may be any outgoing connection's by the time its owner, who restarts,
 * binds it again.
 */
export interface PortRange {
  first: number
  count: number
}
const CHOICE: PortRange = { first: 13_000, count: 3000 }

/** No port is chosen twice by one process before all were; where it begins differs between processes. */
let chosen = Math.floor(Math.random() * 0x7fff_ffff)

/** A port that nobody has at the moment. Rejects with what is wrong with the host, or when all ports are taken. */
export async function freePort(host: string, { first, count }: PortRange = CHOICE): Promise<number> {
  for (let i = 0; i < count; i += 1) {
    const port = first + (chosen++ % count)
    if (await isFree(host, port)) return port
  }
  throw new Error(`no free port in ${first}–${first + count - 1}`)
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
      else reject(error)
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
