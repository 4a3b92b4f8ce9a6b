import type { AgentLife } from '../core/contracts/beats.ts'
import type { NodeVia } from '../core/contracts/node.ts'
import { BeatWriter } from './beat-writer.ts'
import type { RelayPort } from './relay-port.ts'
import { RelayWriter } from './relay-writer.ts'
import type { ServerWay } from './server-way.ts'

/** Calls in a row that found no way to send on what others said: then they are to go elsewhere. */
const STUCK_MAX = 3

export interface BeatsOptions {
  way: ServerWay
  life: AgentLife
  /** of an agent that can beat over others, and others over it; null: it is beside its server */
  relaying: { port: RelayPort; keyFile: string } | null
  /** it beat over a relay and cannot any more: what stands for it until its own way is open? */
  lost: () => void
}

/** The ways a node's beats go: over the relay that the server names while that serves, else straight to the server; and with them those of others. */
export class Beats {
  readonly #own: BeatWriter
  readonly #over: RelayWriter | null
  readonly #port: RelayPort | null
  /** number of the last ping of this stream; 0: none yet */
  #ping = 0
  #stuck = 0

  constructor({ way, life, relaying, lost }: BeatsOptions) {
    this.#port = relaying?.port ?? null
    this.#own = new BeatWriter(way, life, () => this.#port?.hangUp())
    this.#over = relaying === null ? null : new RelayWriter(life, relaying.keyFile, lost)
  }

  /** They are taken now. */
  get isOpen(): boolean {
    return this.#isOver || this.#own.isOpen
  }

  /** Opens what is to be open, unless it was refused not long ago. */
  open(): void {
    this.#over?.open()
    if (this.#isOver) this.#own.close()
    else this.#own.open()
  }

  write(said: { seq: number; hash: number }): void {
    if (this.#isOver) this.#over?.write({ ...said, ping: this.#ping })
    else this.#own.write(said)
  }

  /** Sends on what came of others since the last call. They may come a moment before our own way is open. */
  passOn(): void {
    if (this.#own.isOpen || this.#port === null) this.#stuck = 0
    else if ((this.#stuck += 1) >= STUCK_MAX) this.#port.hangUp()
    if (this.#own.isOpen) this.#own.passOn(this.#port?.take() ?? [])
  }

  heardPing(number: number | undefined): void {
    this.#ping = number ?? 0
  }

  /** True: it beat over another one until now, perhaps in vain. */
  follow(relay: NodeVia['relay']): boolean {
    const wasOver = this.#isOver
    this.#over?.follow(relay)
    return wasOver
  }

  /** Whoever is connected to next may take them, and says anew over whom. */
  close(): void {
    this.#ping = 0
    this.#over?.follow(null)
    this.#own.close()
  }

  /** Over a relay, and able to say when. */
  get #isOver(): boolean {
    return this.#over?.isOpen === true && this.#ping > 0
  }
}
