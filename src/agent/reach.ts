import { connect, createServer } from 'node:net'
import { listenOnAnyPort } from './any-port.ts'

/*
 * Whether an agent lives, as its peers see it: a port that says the node's name and nothing else. When the server no longer hears of a node it
 * asks three of its peers, and so tells a dead machine from a broken network of its own.
 */

const LOOK_MS = 1500
const NAME_BYTES_MAX = 64

/** Opens the port. Gives `HOST:PORT`, or null where there is none. */
export async function openReach(node: string, address: string): Promise<{ address: string | null; close: () => void }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(`${node}\n`)
  })
  return { address: await listenOnAnyPort(server, address), close: () => server.close() }
}

/** Whether the agent of `node` answers there, under that name. */
export function isReached(node: string, address: string): Promise<boolean> {
  const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? []
  if (host === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    let said = ''
    const socket = connect(Number(port), host)
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(said === `${node}\n`)
    }
    const timer = setTimeout(done, LOOK_MS)
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      said += text
      if (said.length > NAME_BYTES_MAX) done()
    })
    socket.once('end', done)
    socket.once('error', done)
  })
}
