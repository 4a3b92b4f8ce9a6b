import { connect, type TLSSocket } from 'node:tls'
import { livesFrame, sealedFrame, sealedPart, type AgentLife } from '../core/contracts/beats.ts'
import type { NodeVia } from '../core/contracts/node.ts'
import { parseAddress } from '../core/contracts/join-token.ts'
import { shortMac } from '../platform/short-mac.ts'
import { nodeIn } from '../platform/certificate-uri.ts'
import { readKeyFile } from '../platform/key-file.ts'

type Relay = NonNullable<NodeVia['relay']>

const CONNECT_MS = 3000
/** A relay that was not reached, or hung up, is tried again after so long, unless the server names another one meanwhile. */
const AGAIN_MS = 30_000

/** One life's beats over another agent, the relay, when the server names one. Whoever has no open way here beats straight. */
export class RelayWriter {
  readonly #life: AgentLife
  readonly #keyFile: string
  /** an open way has ended */
  readonly #lost: () => void
  #relay: Relay | null = null
  #key: Uint8Array = new Uint8Array()
  #socket: TLSSocket | null = null
  #isOpen = false
  #againAtMs = 0

  constructor(life: AgentLife, keyFile: string, lost: () => void) {
    this.#life = life
    this.#keyFile = keyFile
    this.#lost = lost
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Over whom from now on. */
  follow(relay: Relay | null): void {
    this.#drop()
    this.#relay = relay
    this.#againAtMs = 0
    if (relay === null) return
    this.#key = Buffer.from(relay.key, 'base64')
    this.open()
  }

  /** Connects where the server said, unless it is connected or failed not long ago. */
  open(): void {
    const relay = this.#relay
    const at = relay === null ? null : parseAddress(relay.address)
    if (relay === null || at === null || this.#socket !== null || performance.now() < this.#againAtMs) return
    this.#againAtMs = performance.now() + AGAIN_MS
    const { key, certificate, ca } = readKeyFile(this.#keyFile)
    const socket = connect({
      ...{ ...at, key, cert: certificate, ca, minVersion: 'TLSv1.3' },
      checkServerIdentity: (_host, { subjectaltname }) =>
        nodeIn({ subjectAltName: subjectaltname }) === relay.node ? undefined : new Error(`its certificate is not that of ${relay.node}`),
    })
    this.#socket = socket
    const timer = setTimeout(() => socket.destroy(), CONNECT_MS)
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      if (this.#socket !== socket) return
      this.#isOpen = true
      socket.write(livesFrame([this.#life]))
    })
    // It says nothing; but what is not read hides that it has gone.
    socket.resume()
    socket.on('error', () => {})
    socket.once('close', () => {
      clearTimeout(timer)
      if (this.#socket !== socket) return
      const wasOpen = this.#isOpen
      this.#drop()
      if (wasOpen) this.#lost()
    })
  }

  /** @param ping number of the last ping that was heard */
  write(said: { seq: number; hash: number; ping: number }): void {
    this.#socket?.write(sealedFrame([{ ...said, life: 0, heldMs: 0, mac: shortMac(this.#key, sealedPart(said)) }]))
  }

  #drop(): void {
    const closing = this.#socket
    this.#socket = null
    this.#isOpen = false
    closing?.destroy()
  }
}
