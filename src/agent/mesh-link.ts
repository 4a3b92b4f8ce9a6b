import type { MeshSnapshot } from '../core/contracts/mesh.ts'
import type { AgentPaths } from '../platform/paths.ts'
import type { Logger } from '../platform/logger.ts'
import type { MeshProxy } from './mesh/client.ts'

const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 10_000

/**
 * Keeps a proxy running and on the newest snapshot. Whatever goes wrong with it is logged and tried again; tasks and orders
 * never wait for it.
 */
export class MeshLink {
  readonly #options: { node: string; region: string; paths: AgentPaths; eventsSocket: string; wantedGatewayPort: number }
  readonly #log: Logger
  readonly #changed: () => void
  #proxy: MeshProxy | null = null
  #wanted: MeshSnapshot | null = null
  #isBusy = false
  #isStopped = false
  #retryMs = RETRY_MIN_MS
  #retry: NodeJS.Timeout | undefined
  #position = 0

  constructor(
    options: { node: string; region: string; paths: AgentPaths; eventsSocket: string; wantedGatewayPort: number },
    log: Logger,
    changed: () => void,
  ) {
    this.#options = options
    this.#log = log
    this.#changed = changed
  }

  /** Finds or starts the proxy; resolves when that was tried once, whatever came of it. */
  start(): Promise<void> {
    return this.#work()
  }

  /** position of the snapshot the proxy works from; 0: none, or no proxy now */
  get position(): number {
    return (this.#proxy?.pid ?? null) === null ? 0 : this.#position
  }

  get gateway(): string | null {
    return this.#proxy?.gateway ?? null
  }

  /** service → `host:port` its proxy listens on */
  servicePorts(): Record<string, string> {
    const ports = this.#proxy?.servicePorts ?? {}
    const host = this.gateway?.replace(/:\d+$/, '') ?? '127.0.0.1'
    return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `${host}:${port}`]))
  }

  configure(snapshot: MeshSnapshot): void {
    this.#wanted = snapshot
    void this.#work()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#retry)
    await this.#proxy?.stop()
    this.#proxy = null
  }

  /** Lets the proxy run on without us. */
  detach(): void {
    this.#isStopped = true
    clearTimeout(this.#retry)
    this.#proxy?.detach()
  }

  async #work(): Promise<void> {
    if (this.#isBusy || this.#isStopped) return
    this.#isBusy = true
    try {
      if (this.#proxy === null) {
        // Loaded late and inside the try: a proxy that cannot even be loaded is trouble of the proxy's alone.
        const { ensureProxy } = await import('./mesh/client.ts')
        const proxy = await ensureProxy(this.#options)
        if (this.#isStopped) return proxy.detach()
        proxy.onExit = this.#changed
        this.#proxy = proxy
        this.#log.info('proxy found', { gateway: proxy.gateway, pid: proxy.pid })
        this.#changed()
      }
      while (this.#wanted !== null && !this.#isStopped) {
        const snapshot = this.#wanted
        this.#position = await this.#proxy.configure(snapshot)
        if (this.#wanted === snapshot) this.#wanted = null
        this.#changed()
      }
      this.#retryMs = RETRY_MIN_MS
    } catch (error) {
      this.#log.warn('proxy trouble', { error: String(error) })
      if (this.#isStopped) return
      this.#retry = setTimeout(() => void this.#work(), this.#retryMs)
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS)
    } finally {
      this.#isBusy = false
    }
  }
}
