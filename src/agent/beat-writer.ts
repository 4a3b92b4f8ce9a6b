import { createHash } from 'node:crypto'
import type { ClientRequest } from 'node:http'
import { beatsFrame, BEATS_TYPE, livesFrame, sealedFrame, type AgentLife } from '../core/contracts/beats.ts'
import type { NodeReport } from '../core/contracts/node.ts'
import type { HeldBeat } from './relay-port.ts'
import type { ServerWay } from './server-way.ts'

/** A server that takes no beats (an older one) is asked again after so long; one behind which nobody leads at the moment, sooner. */
const AGAIN_MS = 60_000
const NO_LEADER_MS = 2000

/** Of all that may be news in a report; what tasks use at the moment is none. */
export function hashOfReport(said: Omit<NodeReport, 'seq' | 'hash' | 'looks'>): number {
  const tasks = said.tasks.map(({ cpuMilli: _cpu, memoryBytes: _memory, ...task }) => task)
  return createHash('sha256')
    .update(JSON.stringify({ ...said, tasks }))
    .digest()
    .readUIntLE(0, 6)
}

/** One life's beats to the server, on a connection of their own; those of agents that beat over this one go with them. */
export class BeatWriter {
  readonly #way: ServerWay
  readonly #life: AgentLife
  /** the connection has ended */
  readonly #ended: () => void
  /** lives told on this connection, by their numbers */
  readonly #told = new Map<AgentLife, number>()
  #request: ClientRequest | null = null
  #isTaken = false
  #againAtMs = 0

  constructor(way: ServerWay, life: AgentLife, ended: () => void = () => {}) {
    this.#way = way
    this.#life = life
    this.#ended = ended
  }

  /** The server takes beats now. */
  get isOpen(): boolean {
    return this.#isTaken
  }

  /** Connects, unless it is connected or was refused not long ago. */
  open(): void {
    if (this.#request !== null || performance.now() < this.#againAtMs) return
    const opening = this.#way.request(
      { path: '/v1/agent/beats', method: 'POST', headers: { 'content-type': BEATS_TYPE }, isStream: true },
      (response) => {
        response.resume()
        if (response.statusCode === 200) this.#isTaken = this.#request === opening
        else {
          this.#againAtMs = performance.now() + (response.statusCode === 503 ? NO_LEADER_MS : AGAIN_MS)
          opening.destroy()
        }
      },
    )
    this.#request = opening
    opening.on('error', () => {})
    opening.once('close', () => {
      if (this.#request === opening) this.#drop()
    })
    opening.write(livesFrame([this.#life]))
    this.#told.set(this.#life, 0)
  }

  write({ seq, hash }: { seq: number; hash: number }): void {
    this.#request?.write(beatsFrame([{ life: 0, seq, hash }]))
  }

  /** Sends on, in one frame, what others said. */
  passOn(held: readonly HeldBeat[]): void {
    if (held.length === 0) return
    const fresh = held.flatMap(({ life }) => (this.#told.has(life) ? [] : [life]))
    for (const life of fresh) this.#told.set(life, this.#told.size)
    if (fresh.length > 0) this.#request?.write(livesFrame(fresh, true))
    const now = performance.now()
    const beats = held.map(({ life, beat, heardAtMs }) => ({
      ...{ ...beat, life: this.#told.get(life) ?? 0 },
      heldMs: Math.max(0, Math.round(now - heardAtMs)),
    }))
    this.#request?.write(sealedFrame(beats))
  }

  /** Whoever is connected to next may take them. */
  close(): void {
    this.#againAtMs = 0
    this.#drop()
  }

  #drop(): void {
    const closing = this.#request
    this.#request = null
    this.#isTaken = false
    this.#told.clear()
    closing?.destroy()
    if (closing !== null) this.#ended()
  }
}
