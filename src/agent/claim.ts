import { createHash } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { refuse } from '../core/kernel/errors.ts'

/** Abstract socket name of the claim on a node's folder, or on a file of whoever keeps its agent. */
function claimName(folder: string): string {
  return `\0muster-agent-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
}

/** Whether an agent of the node lives, whatever its files say. */
export function isClaimed(folder: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(claimName(folder))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/**
 * Makes this process the only agent of a node until it ends: a listener on an abstract Unix socket named after the node's
 * folder. The kernel keeps it, so it needs no cleaning up, and two agents that start in the same moment cannot both win.
 * @throws MusterError TW_NODE_CLAIMED
 */
export function claimNode(node: string, folder: string): Promise<void> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? refuse('TW_NODE_CLAIMED', `Another agent runs node ${node} on this machine, see ${folder}.`, { cause: error })
          : error,
      )
    })
    server.listen(claimName(folder), () => {
      server.unref()
      resolve()
    })
  })
}
