import { createServer } from 'node:net'
import { refuse } from '../../core/kernel/errors.ts'

/** Rejects with PORT_TAKEN when somebody listens on the port. */
export function assertPortFree(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? refuse('PORT_TAKEN', `port ${port} is in use`)
          : refuse('PORT_TAKEN', `port ${port} cannot be used: ${error.message}`),
      )
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()))
  })
}
