import { Agent, request } from 'node:http'
import { beatsFrame, BEATS_TYPE, livesFrame } from '../../../src/core/contracts/beats.ts'
import { relayedLoad } from './relayed-load.ts'

/*
 * Agents' side of `tw-agent beats`, a process of its own: `beat-load-main.ts SOCKET WAY NODES CONNECTIONS`. WAY is `frames`, where each connection
 * carries the beats of NODES / CONNECTIONS nodes, once a second; `json`, where each node posts its whole report; `relays`, where each has a stream
 * of its own and beats over the relay that it is told there; or `streams`, the same without beats. Says `ready`, and then
 * `sent N` each second; it ends when its input does.
 */
const [socketPath = '', way = '', ...numbers] = process.argv.slice(2)
const [nodes = 0, connections = 0] = numbers.map(Number)
const STEPS = 50
const HASH = 1

const each = nodes / connections
const lifeOf = (node: number) => ({ node: `n${node}`, bootId: '6f9a1c1e-0000-4000-8000-000000000000', instance: 123_456_789 })

/** What an agent of so many tasks says. */
function reportOf(node: number, seq: number, count = 25): string {
  const { node: name, ...life } = lifeOf(node)
  const tasks = Array.from({ length: count }, (_, i) => ({
    ...{ id: node * 25 + i, task: `job-${i}/main[${node}]`, incarnation: 1, state: 'running', health: 'healthy', pid: 4000 + i },
    ...{ ports: { http: 20_000 + i }, reason: '', restarts: 0, startedAt: 1_700_000_000_000, cpuMilli: 12, memoryBytes: 2 ** 24 },
  }))
  const identity = {
    node: name,
    bootId: life.bootId,
    pid: 1,
    region: 'r',
    zone: 'z',
    rack: 'k',
    address: '10.0.0.1',
    cpuMilli: 1,
    memoryBytes: 1,
  }
  const said = { position: 0, meshPosition: 0, gateway: null, tasks, faults: [], hash: HASH, relay: `10.0.0.1:${node}` }
  return JSON.stringify({ identity: { ...identity, attributes: {} }, instance: life.instance, seq, ...said })
}

const streams = async (): Promise<((seq: number) => void)[]> => {
  const writers: ((seq: number) => void)[] = []
  for (let i = 0; i < connections; i += 1) {
    const opening = request({ socketPath, path: '/v1/agent/beats', method: 'POST', agent: false, headers: { 'content-type': BEATS_TYPE } })
    const mine = Array.from({ length: each }, (_, j) => lifeOf(i * each + j))
    opening.write(livesFrame(mine))
    await new Promise<void>((resolve, reject) => {
      opening.once('response', (response) => {
        response.resume()
        resolve()
      })
      opening.once('error', reject)
    })
    writers.push((seq) => void opening.write(beatsFrame(mine.map((_, life) => ({ life, seq, hash: HASH })))))
  }
  return writers
}

const posts = (): ((seq: number) => void)[] => {
  const agents = Array.from({ length: connections }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  return Array.from({ length: nodes }, (_, node) => (seq: number) => {
    const body = reportOf(node, seq)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const posting = request({ socketPath, path: '/v1/agent/report', method: 'POST', headers, agent: agents[node % connections] as Agent })
    posting.once('response', (response) => void response.resume())
    posting.end(body)
  })
}

const relayed = async () => {
  const load = relayedLoad({ socketPath, nodes, lifeOf, reportOf: (node) => reportOf(node, 1, 0) })
  if (way === 'streams') return []
  // A relay at a time, spread over the second.
  return Array.from({ length: STEPS }, (_, step) => () => load.beat(step, STEPS))
}

const makers: Record<string, () => Promise<((seq: number) => void)[]>> = {
  json: async () => posts(),
  frames: streams,
  relays: relayed,
  streams: relayed,
}
const writers = await (makers[way] ?? streams)()
process.stdout.write('ready\n')
let step = 0
setInterval(() => {
  const seq = 1 + Math.floor(step / STEPS)
  for (let i = step % STEPS; i < writers.length; i += STEPS) writers[i]?.(seq)
  step += 1
  if (step % STEPS === 0) process.stdout.write(`sent ${nodes}\n`)
}, 1000 / STEPS)
process.stdin.resume().once('end', () => process.exit(0))
