import { createServer, type RequestListener, type Server } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MeshEndpoint, MeshService, RequestEvent } from '../../../src/core/contracts/mesh.ts'
import { MESH_POLICY } from '../../../src/core/tw/queries.ts'
import { MeshProxyServer } from '../../../src/agent/mesh/proxy.ts'
import { createLogger } from '../../../src/platform/logger.ts'

/** Things to be closed after each test, the newest first. */
export class Cleanup {
  #last: (() => unknown)[] = []
  add(close: () => unknown): void {
    this.#last.push(close)
  }
  async run(): Promise<void> {
    for (let close = this.#last.pop(); close !== undefined; close = this.#last.pop()) await close()
  }
}

export interface Backend {
  server: Server
  port: number
}

export async function listen(server: Server | NetServer, where: number | string = 0): Promise<number> {
  await new Promise<void>((resolve) => {
    if (typeof where === 'string') server.listen(where, resolve)
    else server.listen(where, '127.0.0.1', resolve)
  })
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

export async function startBackend(cleanup: Cleanup, handler: RequestListener): Promise<Backend> {
  const server = createServer(handler)
  const port = await listen(server)
  cleanup.add(() => {
    server.close()
    server.closeAllConnections()
  })
  return { server, port }
}

export function endpoint(id: number, port: number, more: Partial<MeshEndpoint> = {}): MeshEndpoint {
  return {
    task: `web/api[${id}]`,
    id,
    address: '127.0.0.1',
    port,
    subset: 'v1',
    release: 'r1',
    node: 'n1',
    region: 'eu',
    weight: 100,
    ...more,
  }
}

export function service(endpoints: MeshEndpoint[], more: Partial<MeshService> = {}): MeshService {
  return { name: 'web', protocol: 'http', policy: MESH_POLICY, endpoints, split: null, faults: [], ...more }
}

export interface TestProxy {
  proxy: MeshProxyServer
  port: number
  url: string
  events: RequestEvent[]
  /** waits until `count` events have arrived */
  eventsArrived: (count: number) => Promise<RequestEvent[]>
  set: (...services: MeshService[]) => Promise<void>
}

/** A proxy in this process, with a leaf that keeps the rows it gets. */
export async function startProxy(cleanup: Cleanup, ...services: MeshService[]): Promise<TestProxy> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-mesh-'))
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }))
  const events: RequestEvent[] = []
  const leaf = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      for (const line of Buffer.concat(parts).toString().trim().split('\n')) events.push(JSON.parse(line) as RequestEvent)
      response.end('{}')
    })
  })
  await listen(leaf, join(dir, 'leaf.sock'))
  cleanup.add(() => leaf.close())
  const proxy = new MeshProxyServer({
    node: 'n1',
    region: 'eu',
    stateFile: join(dir, 'mesh.json'),
    gatewayPort: 0,
    eventsSocket: join(dir, 'leaf.sock'),
    log: createLogger(null),
  })
  await proxy.start()
  cleanup.add(() => proxy.stop(0))
  let position = 0
  const set = async (...next: MeshService[]): Promise<void> => {
    position += 1
    await proxy.configure({ position, services: next })
  }
  await set(...services)
  return {
    proxy,
    port: Number(proxy.gateway.split(':')[1]),
    url: `http://${proxy.gateway}`,
    events,
    set,
    eventsArrived: async (count) => {
      for (let i = 0; i < 300 && events.length < count; i += 1) await sleep(10)
      return events
    },
  }
}

/** Sends bytes as they are and gives what comes back until the other side ends, or `untilText` has come. */
export function raw(port: number, bytes: string | string[], untilText?: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let got = ''
    const done = (): void => {
      socket.destroy()
      resolve(got)
    }
    socket.setTimeout(5000, done)
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1')
      if (untilText !== undefined && got.includes(untilText)) done()
    })
    socket.on('error', done)
    socket.on('close', done)
    void (async () => {
      for (const part of typeof bytes === 'string' ? [bytes] : bytes) {
        socket.write(part, 'latin1')
        await sleep(5)
      }
    })()
  })
}
