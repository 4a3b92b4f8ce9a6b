import { createServer, type Server, type Socket } from 'node:net'
import type { MeshService, MeshSnapshot } from '../../core/contracts/mesh.ts'
import type { Logger } from '../../platform/logger.ts'
import { serveConnection } from './client-connection.ts'
import { monotonicMs, type ProxyContext } from './context.ts'
import { EventSender } from './events.ts'
import { listenFrom, listenInRange, wantedServicePort } from './ports.ts'
import { Service } from './service.ts'
import { loadState, type ProxyState, saveState } from './state-file.ts'
import { type MeshStats, refusalStats, serviceStats } from './stats.ts'
import { passThrough } from './tcp.ts'
import { sweepIdle } from './upstream.ts'

const TICK_MS = 25
const SLOW_TICK_MS = 500
const CONNECTIONS_MAX = 16_384
const EVENTS_FLUSH_MS = 500

export interface ProxyOptions {
  node: string
  region: string
  stateFile: string
  /** where to look for a gateway port first; 0: any free one */
  gatewayPort: number
  eventsSocket: string
  log: Logger
}

/** The data plane of one node: its listeners, its services, and the clock of everything that may take too long. */
export class MeshProxyServer {
  readonly #options: ProxyOptions
  readonly #context: ProxyContext
  readonly #services = new Map<string, Service>()
  readonly #listeners = new Map<string, { server: Server; port: number }>()
  readonly #gateway: Server
  readonly #state: ProxyState
  #isConfigured = false
  #position = 0
  #timers: NodeJS.Timeout[] = []

  constructor(options: ProxyOptions) {
    this.#options = options
    this.#state = loadState(options.stateFile)
    this.#context = {
      node: options.node,
      region: options.region,
      services: this.#services,
      events: new EventSender(options.eventsSocket),
      exchanges: new Set(),
      clients: new Set(),
      isDraining: false,
      refusals: new Map(),
    }
    this.#gateway = this.#createServer((socket) => serveConnection(this.#context, socket, null))
  }

  /** Serves from the last snapshot on disk; the gateway's and services' ports are those of before, if they are free. */
  async start(): Promise<void> {
    this.#timers = [setInterval(() => this.#tick(), TICK_MS), setInterval(() => this.#slowTick(), SLOW_TICK_MS)]
    if (this.#state.snapshot !== null) await this.configure(this.#state.snapshot)
    this.#state.gatewayPort = await listenFrom(this.#gateway, this.#state.gatewayPort || this.#options.gatewayPort)
    this.#save()
  }

  /** Takes a whole snapshot at once; gives its position. Ports of new services are open when it returns. */
  async configure(snapshot: MeshSnapshot): Promise<number> {
    const names = new Set(snapshot.services.map((service) => service.name))
    for (const def of snapshot.services) this.#configureService(def)
    for (const [name, service] of this.#services) {
      if (names.has(name)) continue
      this.#services.delete(name)
      for (const endpoint of service.endpoints) {
        endpoint.isDraining = true
        sweepIdle(endpoint, monotonicMs())
      }
    }
    this.#isConfigured = true
    this.#position = snapshot.position
    this.#state.snapshot = snapshot
    await this.#listenForServices(names)
    this.#save()
    return snapshot.position
  }

  #configureService(def: MeshService): void {
    const old = this.#services.get(def.name)
    const epoch = this.#state.epochs[def.name] ?? -1
    const service = old ?? new Service(def, epoch, this.#isConfigured)
    const { removed, splitRefused } =
      old === undefined ? { removed: [], splitRefused: (def.split?.epoch ?? epoch) < epoch } : old.update(def)
    this.#services.set(def.name, service)
    for (const endpoint of removed) sweepIdle(endpoint, monotonicMs())
    this.#state.epochs[def.name] = service.epoch
    if (splitRefused)
      this.#options.log.warn('refused a split of a lower epoch', { service: def.name, epoch: def.split?.epoch, known: service.epoch })
  }

  async #listenForServices(names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      if (this.#listeners.has(name)) continue
      const server = this.#createServer((socket) => this.#onServiceConnection(name, socket))
      const port = await listenInRange(server, this.#state.servicePorts[name] ?? wantedServicePort(this.#options.node, name))
      this.#listeners.set(name, { server, port })
      this.#state.servicePorts[name] = port
    }
    for (const [name, { server }] of this.#listeners) {
      if (names.has(name)) continue
      server.close()
      this.#listeners.delete(name)
    }
  }

  #onServiceConnection(name: string, socket: Socket): void {
    const service = this.#services.get(name)
    if (service?.protocol === 'tcp') {
      socket.on('error', () => {})
      passThrough(this.#context, socket, service)
    } else serveConnection(this.#context, socket, name)
  }

  #createServer(onConnection: (socket: Socket) => void): Server {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection)
    server.maxConnections = CONNECTIONS_MAX
    return server
  }

  /** The state file is for the proxy's own restart; without it the agent's snapshot does, so a full disk stops nothing. */
  #save(): void {
    try {
      saveState(this.#options.stateFile, this.#state)
    } catch (error) {
      this.#options.log.warn('cannot keep the snapshot on disk', { error: String(error) })
    }
  }

  get gateway(): string {
    return `127.0.0.1:${this.#state.gatewayPort}`
  }

  stats(): MeshStats {
    const ports = Object.fromEntries([...this.#listeners].map(([name, { port }]) => [name, port]))
    return {
      node: this.#options.node,
      pid: process.pid,
      position: this.#position,
      gateway: this.#gateway.listening ? this.gateway : null,
      servicePorts: ports,
      connections: this.#context.clients.size,
      running: this.#context.exchanges.size,
      events: this.#context.events.stats(),
      refusals: refusalStats(this.#context),
      services: [...this.#services.values()].map((service) => serviceStats(service, ports[service.name] ?? null)),
    }
  }

  #tick(): void {
    if (this.#context.exchanges.size === 0) return
    const nowMs = monotonicMs()
    for (const exchange of this.#context.exchanges) exchange.checkTime(nowMs)
  }

  #slowTick(): void {
    const nowMs = monotonicMs()
    for (const client of this.#context.clients) client.checkTime(nowMs)
    for (const service of this.#services.values()) for (const endpoint of service.endpoints) sweepIdle(endpoint, nowMs)
  }

  /** Takes nothing new, lets what runs finish for at most `timeoutMs`, sends the last events, closes all. */
  async stop(timeoutMs: number): Promise<void> {
    this.#context.isDraining = true
    this.#gateway.close()
    for (const { server } of this.#listeners.values()) server.close()
    for (const client of this.#context.clients) client.drain()
    const untilMs = monotonicMs() + timeoutMs
    while (this.#context.exchanges.size > 0 && monotonicMs() < untilMs) await new Promise((resolve) => setTimeout(resolve, TICK_MS))
    for (const client of this.#context.clients) client.socket.destroy()
    for (const timer of this.#timers) clearInterval(timer)
    await this.#context.events.close(EVENTS_FLUSH_MS)
  }
}
