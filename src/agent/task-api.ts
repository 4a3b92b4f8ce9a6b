import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { refuse } from '../core/kernel/errors.ts'
import type { ServerWay } from './server-way.ts'

/** What a task may ask, with its own token. The server looks at both once more. */
const ROUTES: ReadonlySet<string> = new Set(['POST /v1/tw/op/pending', 'POST /v1/tw/op/answer'])

/**
 * The socket that `MUSTER_API` of a task names: what is asked there goes to the server over the agent's own way, so that a task needs to
 * know neither where a server is nor how to be let in there. A task without a token is refused by the server.
 */
export async function openTaskApi(socket: string, way: ServerWay): Promise<{ close: () => void }> {
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 })
  rmSync(socket, { force: true })
  const server = createServer({ requestTimeout: 0 }, (incoming, response) => forward(incoming, response, way))
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve))
  // A task may run as another user than its agent; its token is what counts.
  chmodSync(socket, 0o666)
  return {
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function forward(incoming: IncomingMessage, response: ServerResponse, way: ServerWay): void {
  const { method = 'GET', url = '/', headers } = incoming
  // Without a token it would be asked as whoever the agent is.
  if (!ROUTES.has(`${method} ${url}`) || headers.authorization?.startsWith('Bearer task_') !== true)
    return answer(response, 403, refuse('NOT_PERMITTED', 'a task asks with its own token, and only for what is planned for it'))
  const passed = Object.fromEntries(
    ['authorization', 'content-type', 'content-length', 'transfer-encoding'].flatMap((name) =>
      headers[name] === undefined ? [] : [[name, headers[name]]],
    ),
  )
  const asking = way.request({ path: url, method, headers: passed, isStream: true }, (from) => {
    response.writeHead(from.statusCode ?? 502, { 'content-type': from.headers['content-type'] ?? 'application/json' })
    from.pipe(response)
    from.once('error', () => response.destroy())
  })
  asking.once('error', (error) => {
    if (response.headersSent) response.destroy()
    else answer(response, 503, refuse('UNAVAILABLE', `no server is reached: ${error.message}`))
  })
  response.once('close', () => asking.destroy())
  incoming.pipe(asking)
}

function answer(response: ServerResponse, status: number, error: Error): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: false, error }))
}
