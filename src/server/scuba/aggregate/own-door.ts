import { existsSync } from 'node:fs'
import type { Server } from 'node:https'
import { doorAddress, readDoor } from './door-file.ts'
import { openPeerPort, type PeerPortOptions } from './port.ts'

const LOOK_MS = 500
const RETRY_MS = 5000

/** Opens the port of a server's own leaf where `peers.json` in the store's folder says, and follows that file. */
export function followOwnDoor(dir: string, keyFile: string, options: PeerPortOptions): { close: () => void } {
  let open: { server: Server; address: string } | null = null
  let waitUntilMs = 0

  const close = (): void => {
    open?.server.close()
    open?.server.closeAllConnections()
    open = null
  }
  const look = (): void => {
    const door = readDoor(dir)
    const wanted = door?.isOpen === true ? doorAddress(door) : null
    if (wanted === (open?.address ?? null)) return
    close()
    if (wanted === null || Date.now() < waitUntilMs || !existsSync(keyFile)) return
    const server = openPeerPort(wanted, keyFile, options)
    open = { server, address: wanted }
    server.once('listening', () => options.log.info('leaves of other servers reach this one', { address: wanted }))
    // The port may be free again soon.
    server.once('error', () => {
      if (server.listening || open?.server !== server) return
      waitUntilMs = Date.now() + RETRY_MS
      close()
    })
  }
  const safely = (): void => {
    try {
      look()
    } catch (error) {
      if (Date.now() < waitUntilMs) return
      waitUntilMs = Date.now() + RETRY_MS
      options.log.warn('peers.json cannot be followed', { error: String(error) })
    }
  }
  safely()
  const timer = setInterval(safely, LOOK_MS)
  return {
    close: () => {
      clearInterval(timer)
      close()
    },
  }
}
