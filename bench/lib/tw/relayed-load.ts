import { Agent, request, type ClientRequest } from 'node:http'
import { createInterface } from 'node:readline'
import { beatsFrame, BEATS_TYPE, livesFrame, sealedFrame, type AgentLife } from '../../../src/core/contracts/beats.ts'
import type { NodeVia } from '../../../src/core/contracts/node.ts'
import { beatMac } from '../../../src/platform/beat-mac.ts'

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

/** Agents with a stream each that beat over whom they are told there, sealed. */
export async function relayedLoad({ socketPath, nodes, lifeOf, reportOf }: Options): Promise<RelayedLoad> {
  const seqs = new Uint32Array(nodes).fill(1)
  const pings = new Uint32Array(nodes)
  const keys = new Map<number, Uint8Array>()
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
    if (relay === null) throw new Error(`n${node} was not heard over its relay`)
    keys.set(node, Buffer.from(relay.key, 'base64'))
    relayOf(Number(relay.node.slice(1))).members.push(node)
  }
  for (let node = 0; node < nodes; node += 1) {
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

  const next = (node: number): number => (seqs[node] = (seqs[node] ?? 0) + 1)
  const sendFrame = (relay: Relay): void => {
    const { node, connection, members, told } = relay
    if (members.length > told) connection.write(livesFrame(members.slice(told).map(lifeOf), true))
    relay.told = members.length
    connection.write(beatsFrame([{ life: 0, seq: next(node), hash: HASH }]))
    const beats = members.map((member, i) => {
      const said = { seq: next(member), hash: HASH, ping: pings[member] ?? 0 }
      return { ...said, life: i + 1, heldMs: 500, mac: beatMac(keys.get(member) ?? new Uint8Array(), said) }
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
