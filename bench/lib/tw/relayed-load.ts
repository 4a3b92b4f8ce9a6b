import { Agent, request, type ClientRequest } from 'node:http'
import { createInterface } from 'node:readline'
import { beatsFrame, BEATS_TYPE, livesFrame, sealedFrame, sealedPart, type AgentLife } from '../../../src/core/contracts/beats.ts'
import type { NodeVia } from '../../../src/core/contracts/node.ts'
import { shortMac } from '../../../src/platform/short-mac.ts'

export interface RelayedLoad {
  /** Sends the second's frame of every relay whose turn in it is `step` of `steps`. */
  beat: (step: number, steps: number) => void
}

/** One agent over which others beat, or nobody: its connection for beats, and whose beats go on it. */
interface Relay {
  node: number
  connection: ClientRequest
  members: number[]
  /** so many of them were told on it */
  told: number
}

interface Options {
  socketPath: string
  nodes: number
  lifeOf: (node: number) => AgentLife
  reportOf: (node: number) => string
}

const HASH = 1

/** Agents with a stream each that beat over whom they are told there, sealed. They come one after the other, and beat meanwhile. */
export function relayedLoad({ socketPath, nodes, lifeOf, reportOf }: Options): RelayedLoad {
  const seqs = new Uint32Array(nodes).fill(1)
  const pings = new Uint32Array(nodes)
  /** over whom each beats, and its key for it */
  const over = new Map<number, { relay: Relay; key: Uint8Array }>()
  const relays = new Map<number, Relay>()
  const shared = new Agent({ keepAlive: true, maxSockets: 50 })
  const asked = (node: number, options: object, headers: object = {}): ClientRequest =>
    request({ socketPath, agent: false, ...options, headers: { 'x-test-actor': `agent:n${node}`, ...headers } })

  const relayOf = (node: number): Relay => {
    const found = relays.get(node)
    if (found !== undefined) return found
    const connection = asked(node, { path: '/v1/agent/beats', method: 'POST' }, { 'content-type': BEATS_TYPE })
    connection.once('response', (response) => void response.resume())
    connection.write(livesFrame([lifeOf(node)]))
    const made = { node, connection, members: [], told: 0 }
    relays.set(node, made)
    return made
  }
  const hear = (node: number, line: string): void => {
    // Of the rest nothing is read: it would cost more than the server's part.
    if (line.startsWith('{"kind":"ping"')) pings[node] = Number(/"number":(\d+)/.exec(line)?.[1])
    if (!line.startsWith('{"kind":"via"')) return
    const { relay } = JSON.parse(line) as NodeVia
    // On a busy machine one may be late, and is told another one a minute later.
    if (relay === null) return void over.delete(node)
    const named = relayOf(Number(relay.node.slice(1)))
    over.set(node, { relay: named, key: Buffer.from(relay.key, 'base64') })
    if (!named.members.includes(node)) named.members.push(node)
  }
  const come = async (node: number): Promise<void> => {
    const { bootId, instance } = lifeOf(node)
    const opening = asked(node, { path: `/v1/agent/stream?node=n${node}&boot=${bootId}&instance=${instance}` })
    opening.end()
    await new Promise<void>((resolve, reject) => {
      opening.once('error', reject).once('response', (response) => {
        createInterface({ input: response }).on('line', (line) => hear(node, line))
        resolve()
      })
    })
    const body = reportOf(node)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const posting = asked(node, { path: '/v1/agent/report', method: 'POST', agent: shared }, headers)
    posting.once('response', (response) => void response.resume())
    posting.end(body)
  }
  const all = async (): Promise<void> => {
    for (let node = 0; node < nodes; node += 1) await come(node)
  }
  void all()

  const next = (node: number): number => (seqs[node] = (seqs[node] ?? 0) + 1)
  const sendFrame = (relay: Relay): void => {
    const { node, connection, members, told } = relay
    if (members.length > told) connection.write(livesFrame(members.slice(told).map(lifeOf), true))
    relay.told = members.length
    connection.write(beatsFrame([{ life: 0, seq: next(node), hash: HASH }]))
    const beats = members.flatMap((member, i) => {
      const way = over.get(member)
      if (way?.relay !== relay) return []
      const said = { seq: next(member), hash: HASH, ping: pings[member] ?? 0 }
      return [{ ...said, life: i + 1, heldMs: 500, mac: shortMac(way.key, sealedPart(said)) }]
    })
    connection.write(sealedFrame(beats))
  }
  return {
    beat: (step, steps) => {
      let turn = 0
      for (const relay of relays.values()) if (turn++ % steps === step) sendFrame(relay)
    },
  }
}
