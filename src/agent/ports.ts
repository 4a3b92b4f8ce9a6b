import { createServer, type Server } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'

export const PORTS_FIRST = 20_000
export const PORTS_LAST = 31_999
export const BLOCK_SIZE = 64
const BLOCK_COUNT = Math.floor((PORTS_LAST + 1 - PORTS_FIRST) / BLOCK_SIZE)

/** A listener on a port of the loopback address, or null when somebody has it. */
function listen(port: number, address: string): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(null))
    server.listen({ port, host: address, exclusive: true }, () => resolve(server.unref()))
  })
}

/** Whether a port can be bound right now. */
export async function isPortFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  const server = await listen(port, address)
  if (server === null) return false
  await new Promise((resolve) => server.close(resolve))
  return true
}

/**
 * Ports for tasks, from blocks of 64 in 20000–31999 (below the kernel's ephemeral range). A block is claimed by holding
 * a listener on its first port: a lock that the kernel keeps across fleets and users and drops when the agent dies. Since
 * tasks outlive their agent, each port is bound once for a test before it is given away.
 */
export class PortBlocks {
  readonly #file: string
  readonly #address: string
  readonly #claims = new Map<number, Server>()
  readonly #used = new Set<number>()
  #next = 0

  constructor(file: string, address = '127.0.0.1') {
    this.#file = file
    this.#address = address
  }

  /** Claims the blocks of the last run, as far as they are free, else one new block. */
  async open(): Promise<void> {
    for (const base of this.#remembered()) await this.#claim(base)
    if (this.#claims.size === 0) await this.#claimAny()
  }

  /** Marks ports as belonging to a task that is adopted. */
  adopt(ports: Record<string, number>): void {
    for (const port of Object.values(ports)) this.#used.add(port)
  }

  /** A free port of our blocks; claims a further block when they are full. Null when the whole range is taken. */
  async take(): Promise<number | null> {
    for (;;) {
      const bases = [...this.#claims.keys()]
      for (let i = 0; i < bases.length * (BLOCK_SIZE - 1); i += 1) {
        const slot = this.#next++ % (bases.length * (BLOCK_SIZE - 1))
        const port = (bases[Math.floor(slot / (BLOCK_SIZE - 1))] ?? 0) + 1 + (slot % (BLOCK_SIZE - 1))
        if (this.#used.has(port)) continue
        this.#used.add(port)
        if (await isPortFree(port, this.#address)) return port
        this.#used.delete(port)
      }
      if (!(await this.#claimAny())) return null
    }
  }

  release(ports: Record<string, number>): void {
    for (const port of Object.values(ports)) this.#used.delete(port)
  }

  close(): void {
    for (const server of this.#claims.values()) server.close()
    this.#claims.clear()
  }

  async #claimAny(): Promise<boolean> {
    // Starting points differ between agents, so that many starting at once do not all try the same blocks.
    const start = (process.pid * 7) % BLOCK_COUNT
    for (let i = 0; i < BLOCK_COUNT; i += 1) {
      const base = PORTS_FIRST + ((start + i) % BLOCK_COUNT) * BLOCK_SIZE
      if (!this.#claims.has(base) && (await this.#claim(base))) return true
    }
    return false
  }

  async #claim(base: number): Promise<boolean> {
    const server = await listen(base, this.#address)
    if (server === null) return false
    this.#claims.set(base, server)
    try {
      writeFileSync(this.#file, `${JSON.stringify({ blocks: [...this.#claims.keys()] })}\n`, { mode: 0o600 })
    } catch {
      // On a full disk only the preference for the same block after a restart is lost.
    }
    return true
  }

  #remembered(): number[] {
    try {
      const { blocks } = JSON.parse(readFileSync(this.#file, 'utf8')) as { blocks: number[] }
      return blocks.filter((base) => base >= PORTS_FIRST && base + BLOCK_SIZE - 1 <= PORTS_LAST)
    } catch {
      return [] // first start, or a torn file: a new block serves as well
    }
  }
}
