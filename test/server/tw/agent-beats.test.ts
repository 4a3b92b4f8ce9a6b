import { mkdtempSync, rmSync } from 'node:fs'
import { request, type ClientRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { beatsFrame, BEATS_TYPE, livesFrame } from '../../../src/core/contracts/beats.ts'
import type { FromServer, NodeReport } from '../../../src/core/contracts/node.ts'
import { nodeRetired } from '../../../src/core/tw/entries/nodes.ts'
import { nodeCordon } from '../../../src/core/tw/operations.ts'
import type { Beat } from '../../../src/server/tw/beat.ts'
import { openTestHub, type TestHub } from '../../support/agent-hub.ts'
import { eventually } from '../../support/eventually.ts'

let root: string
let server: TestHub
const open: ClientRequest[] = []

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mu-beats-'))
  server = await openTestHub(join(root, 's'))
})
afterEach(async () => {
  for (const one of open.splice(0)) one.destroy()
  await server.close()
  rmSync(root, { recursive: true, force: true })
})

const asked = (options: object): ClientRequest => {
  const sent = request({ socketPath: join(root, 's'), agent: false, ...options })
  sent.on('error', () => {})
  open.push(sent)
  return sent
}

/** An agent of these many words: its stream, its reports, and how often it was asked for one. */
function agentOf(node: string) {
  const said: FromServer[] = []
  const stream = asked({ path: `/v1/agent/stream?node=${node}&boot=b-${node}&instance=1` })
  stream.once('response', (response) => {
    response.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) said.push(JSON.parse(line) as FromServer)
    })
  })
  stream.end()
  const identity = { bootId: `b-${node}`, pid: 1, region: 'r', zone: 'z', rack: 'k', address: '127.0.0.1', cpuMilli: 1000, memoryBytes: 1 }
  const report = (seq: number, hash?: number): Promise<void> => {
    const body: NodeReport = {
      identity: { node, ...identity, attributes: {} },
      ...{ instance: 1, seq, position: 0, meshPosition: 0, gateway: null, tasks: [], faults: [] },
      ...(hash === undefined ? {} : { hash }),
    }
    return new Promise((resolve) => {
      const sent = asked({ path: '/v1/agent/report', method: 'POST', headers: { 'content-type': 'application/json' } })
      sent.once('response', (response) => void response.resume().once('end', resolve))
      sent.end(JSON.stringify(body))
    })
  }
  return { report, said, asks: () => said.filter(({ kind }) => kind === 'report').length, life: { node, bootId: `b-${node}`, instance: 1 } }
}

/** A connection beats go over; `isEnded` once the server wants no more of it. */
function beatsAs(actor: string) {
  const sent = asked({ path: '/v1/agent/beats', method: 'POST', headers: { 'content-type': BEATS_TYPE, 'x-test-actor': actor } })
  const connection = { write: (bytes: Uint8Array) => void sent.write(bytes), isEnded: false }
  sent.once('close', () => (connection.isEnded = true))
  sent.once('response', (response) => response.resume().on('error', () => {}))
  return connection
}

const ageOf = (node: string): number => server.hub.beats.get(node)?.ageMs ?? Infinity
/** number of its last word that counted */
const lastOf = (node: string): number => (server.hub.beats.get(node) as Beat | undefined)?.seq ?? 0
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a beat that stands for the last report keeps a node alive, and makes nobody look at its tasks or write an entry', async () => {
  const agent = agentOf('n1')
  await agent.report(1, 77)
  await eventually('it has joined', 5000, () => server.appended.includes('tw.NodeJoined'))
  // Its own joining may have changed what is news.
  await agent.report(2, 77)
  const entries = server.appended.length
  const beats = beatsAs('user:test')
  beats.write(livesFrame([agent.life]))
  await pause(50)
  for (let seq = 3; seq < 8; seq += 1) beats.write(beatsFrame([{ life: 0, seq, hash: 77 }]))
  await eventually('the last beat', 5000, () => lastOf('n1') === 7)
  expect([agent.asks(), server.appended.length]).toEqual([0, entries])
})

test('one frame carries the beats of many nodes', async () => {
  const agents = ['n1', 'n2', 'n3'].map(agentOf)
  for (const agent of agents) await agent.report(1, 5)
  await pause(100)
  const beats = beatsAs('user:test')
  beats.write(Buffer.concat([livesFrame(agents.map(({ life }) => life)), beatsFrame([0, 1, 2].map((life) => ({ life, seq: 9, hash: 5 })))]))
  await eventually('all beats', 5000, () => ['n1', 'n2', 'n3'].every((node) => lastOf(node) === 9))
})

test('the report is asked for when the server knows another, and when the state changed for that node', async () => {
  const agent = agentOf('n1')
  await agent.report(1, 77)
  await agent.report(2, 77)
  const beats = beatsAs('user:test')
  beats.write(Buffer.concat([livesFrame([agent.life]), beatsFrame([{ life: 0, seq: 3, hash: 78 }])]))
  await eventually('another hash is asked about', 5000, () => agent.asks() === 1)
  await agent.report(4, 78)
  beats.write(beatsFrame([{ life: 0, seq: 5, hash: 78 }]))
  await pause(50)
  expect(agent.asks()).toBe(1)
  server.told(() => void server.state.run(nodeCordon, { node: 'n1' }))
  beats.write(beatsFrame([{ life: 0, seq: 6, hash: 78 }]))
  await eventually('what changed is asked about', 5000, () => agent.asks() === 2)
})

test('late and doubled beats keep nobody alive', async () => {
  const agent = agentOf('n1')
  await agent.report(5, 1)
  const beats = beatsAs('user:test')
  await pause(50)
  const before = ageOf('n1')
  beats.write(Buffer.concat([livesFrame([agent.life]), beatsFrame([4, 5].map((seq) => ({ life: 0, seq, hash: 1 })))]))
  await pause(100)
  expect(ageOf('n1')).toBeGreaterThan(before + 90)
})

test('an agent of another machine speaks for its own node alone, and garbage ends the connection', async () => {
  const foreign = beatsAs('agent:n2')
  foreign.write(livesFrame([{ node: 'n1', bootId: 'b', instance: 1 }]))
  const garbage = beatsAs('user:test')
  garbage.write(Uint8Array.of(1, 0, 0, 0, 9))
  const untold = beatsAs('user:test')
  untold.write(beatsFrame([{ life: 0, seq: 1, hash: 1 }]))
  await eventually('all are ended', 5000, () => foreign.isEnded && garbage.isEnded && untold.isEnded)
  expect(lastOf('n1')).toBe(0)
})

test('once a node was retired, or another agent let in for it, whoever beat for it has to show its key anew', async () => {
  const beats = beatsAs('agent:n1')
  beats.write(livesFrame([{ node: 'n1', bootId: 'b', instance: 1 }]))
  beats.write(beatsFrame([{ life: 0, seq: 1, hash: 1 }]))
  await eventually('a beat', 5000, () => lastOf('n1') === 1)
  server.told(() => void server.state.append([nodeRetired.of({ node: 'n1', reason: '' })]))
  await eventually('it is hung up', 5000, () => beats.isEnded)
})

test('orders say under whom they are given, and a server that leads no more gives none', async () => {
  const agent = agentOf('n1')
  const orders = (): FromServer[] => agent.said.filter(({ kind }) => kind === 'orders')
  await eventually('orders', 5000, () => orders().length === 1)
  expect(orders()[0]).toMatchObject({ reign: { cluster: 'c', term: 1 } })
  server.reign.now = null
  const late = agentOf('n2')
  await eventually('a ping', 5000, () => late.said.some(({ kind }) => kind === 'ping'))
  expect(late.said.filter(({ kind }) => kind === 'orders')).toEqual([])
})
