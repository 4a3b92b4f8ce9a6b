import { createServer, type TLSSocket } from 'node:tls'
import { BeatReader, type AgentLife, type SealedBeat } from '../core/contracts/beats.ts'
import { RELAY_AGENTS_MAX } from '../core/tw/queries.ts'
import { nodeIn } from '../platform/certificate-uri.ts'
import { listenOnAnyPort } from './any-port.ts'
import { readKeyFile } from '../platform/key-file.ts'

/*
 * Where other agents' beats come in, to be sent on with this agent's own: over TLS, each with the certificate of its node. Which agents come, the
 * server tells them; and what they say it can check itself (`BeatSeal`), so here it is only looked whether they are of this fleet.
 */

const HANDSHAKE_MS = 5000
/** Who says nothing for so long has gone without a word. Whoever reports instead of beating is silent here for a while, too. */
const SILENCE_MS = 60_000

/** What came of one agent since it was last asked for. */
export interface HeldBeat {
  /** the same object for the same life */
  life: AgentLife
  beat: Omit<SealedBeat, 'life' | 'heldMs'>
  heardAtMs: number
}

export interface RelayPort {
  /** `HOST:PORT` */
  address: string
  /** The newest beat of each agent that was heard since the last call. */
  take: () => HeldBeat[]
  /** Sends all that beat over this agent elsewhere: what they say cannot be sent on. */
  hangUp: () => void
  /** Shows the certificate that the key file has now. */
  renew: () => void
  close: () => void
}

interface Member {
  life: AgentLife | null
  held: HeldBeat | null
}

/** Opens the port; null where there is none. */
export async function openRelayPort(address: string, keyFile: string): Promise<RelayPort | null> {
  const members = new Map<TLSSocket, Member>()
  const shown = () => {
    const { key, certificate, ca } = readKeyFile(keyFile)
    return { key, cert: certificate, ca, minVersion: 'TLSv1.3' as const }
  }
  const server = createServer(
    { ...shown(), requestCert: true, rejectUnauthorized: true, handshakeTimeout: HANDSHAKE_MS, ALPNProtocols: [] },
    (socket) => {
      socket.on('error', () => {})
      const node = nodeIn(socket.getPeerX509Certificate())
      if (node === null || members.size >= RELAY_AGENTS_MAX) return socket.destroy()
      const member: Member = { life: null, held: null }
      members.set(socket, member)
      socket.once('close', () => members.delete(socket))
      socket.setTimeout(SILENCE_MS, () => socket.destroy())
      const reader = new BeatReader({
        life: (life) => (member.life = life.node === node ? life : null),
        beat: () => socket.destroy(),
        sealed: ({ life: _life, heldMs: _held, ...beat }) => {
          if (member.life === null) socket.destroy()
          else member.held = { life: member.life, beat, heardAtMs: performance.now() }
        },
      })
      socket.on('data', (piece: Uint8Array) => {
        if (!reader.read(piece)) socket.destroy()
      })
    },
  )
  server.on('tlsClientError', () => {})
  const opened = await listenOnAnyPort(server, address)
  if (opened === null) return null
  const hangUp = (): void => {
    for (const socket of members.keys()) socket.destroy()
  }
  return {
    address: opened,
    take: () => {
      const taken: HeldBeat[] = []
      for (const member of members.values()) {
        if (member.held !== null) taken.push(member.held)
        member.held = null
      }
      return taken
    },
    hangUp,
    renew: () => server.setSecureContext(shown()),
    close: () => {
      hangUp()
      server.close()
    },
  }
}
