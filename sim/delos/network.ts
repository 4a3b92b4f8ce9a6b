import type { Prng } from '../../src/core/kernel/prng.ts'
import { encodeFrame } from '../../src/core/delos/paxos/codec.ts'
import type { Message } from '../../src/core/delos/paxos/messages.ts'
import { Network as Links, type NetworkHost as LinksHost } from '../network.ts'

/** Whose messages it carries. */
export interface NetworkHost extends LinksHost {
  server(id: number): { receive(from: number, loglet: number, message: Message): void; receiveFrame(frame: Uint8Array): void }
}

/** Carries the machine's messages, in some runs through its codec. */
export class Network extends Links<NetworkHost> {
  readonly #isEncoded: boolean

  constructor(world: NetworkHost, prng: Prng) {
    super(world, prng)
    // The codec is slower than passing objects; one run in eight goes through it.
    this.#isEncoded = prng.below(8) === 0
  }

  send(from: number, to: number, loglet: number, message: Message): void {
    const frame = this.#isEncoded ? encodeFrame(loglet, from, message) : null
    this.carry(from, to, message.kind, () => {
      const server = this.host.server(to)
      if (frame === null) server.receive(from, loglet, message)
      else server.receiveFrame(frame)
    })
  }
}
