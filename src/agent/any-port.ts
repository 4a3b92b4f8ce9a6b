import type { AddressInfo, Server } from 'node:net'

/** Listens on any port of the node's address, or of all where that is not one of this machine. Gives `HOST:PORT`, or null where there is no port. */
export async function listenOnAnyPort(server: Server, address: string): Promise<string | null> {
  // Alone it keeps no process alive.
  server.unref()
  const port = (await listen(server, address)) ?? (await listen(server, '0.0.0.0'))
  return port === null ? null : `${address}:${port}`
}

function listen(server: Server, host: string): Promise<number | null> {
  return new Promise((resolve) => {
    const failed = (): void => resolve(null)
    server.once('error', failed)
    server.listen(0, host, () => {
      server.off('error', failed)
      server.on('error', () => {})
      resolve((server.address() as AddressInfo).port)
    })
  })
}
