import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { refuse } from '../core/kernel/errors.ts'

/**
 * Makes this process the only agent of a node until it ends: a listener on an abstract Unix socket named after the node's
 * folder. The kernel keeps it, so it needs no cleaning up, and two agents that start in the same moment cannot both win.
 * @throws MusterError TW_NODE_CLAIMED
 */
export function claimNode(node: string, folder: string): Promise<void> {
  const name = `\0muster-agent-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE' ? refuse('TW_NODE_CLAIMED', `Another agent runs node ${node} in ${folder}.`, { cause: error }) : error,
      )
    })
    server.listen(name, () => {
      server.unref()
      resolve()
    })
  })
}
