import { createServer, type Server, type Socket } from 'node:net'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { MeshSnapshot } from '../../core/contracts/mesh.ts'
import type { MeshProxyServer } from './proxy.ts'
import type { MeshStats } from './stats.ts'

/** One line each way over the proxy's control socket; answers come in the order of the requests. */
export type ControlRequest = { configure: MeshSnapshot } | { stats: true } | { stop: true }
export type ControlAnswer = { applied: number } | { stats: MeshStats } | { stopping: true } | { error: string }

const LINE_MAX_BYTES = 64 * 1024 * 1024

/** Serves the control socket; whoever may open it (mode 0600) is trusted. */
export function serveControl(path: string, proxy: MeshProxyServer, onStop: () => void): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  rmSync(path, { force: true })
  const server = createServer((socket) => {
    // A peer that dies is its own matter.
    socket.on('error', () => {})
    let work = Promise.resolve()
    readLines(socket, (line) => {
      work = work.then(async () => {
        const answer = await answerControl(line, proxy, onStop)
        if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`)
      })
    })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      chmodSync(path, 0o600)
      resolve(server)
    })
  })
}

async function answerControl(line: string, proxy: MeshProxyServer, onStop: () => void): Promise<ControlAnswer> {
  try {
    const request = JSON.parse(line) as Partial<{ configure: MeshSnapshot; stats: true; stop: true }>
    if (request.configure !== undefined) {
      if (!Array.isArray(request.configure.services) || !Number.isInteger(request.configure.position)) throw new Error('not a snapshot')
      return { applied: await proxy.configure(request.configure) }
    }
    if (request.stats !== undefined) return { stats: proxy.stats() }
    if (request.stop !== undefined) {
      onStop()
      return { stopping: true }
    }
    return { error: 'unknown request' }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

/** Calls `onLine` for every whole line that comes in; cuts a peer that sends endless ones. */
export function readLines(socket: Socket, onLine: (line: string) => void): void {
  let parts: Buffer[] = []
  let bytes = 0
  socket.on('data', (chunk: Buffer) => {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      onLine(Buffer.concat([...parts, chunk.subarray(start, end)]).toString('utf8'))
      parts = []
      bytes = 0
      start = end + 1
    }
    if (start < chunk.length) parts.push(chunk.subarray(start))
    bytes += chunk.length - start
    if (bytes > LINE_MAX_BYTES) socket.destroy()
  })
}
