import { mkdtempSync, rmSync } from 'node:fs'
import { request, type ClientRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { beatsFrame, BEATS_TYPE, livesFrame, sealedFrame, sealedPart } from '../../../src/core/contracts/beats.ts'
import type { FromServer, NodeReport } from '../../../src/core/contracts/node.ts'
import { nodeRetired } from '../../../src/core/tw/entries/nodes.ts'
import { shortMac } from '../../../src/platform/short-mac.ts'
import { openTestHub, type TestHub } from '../../support/agent-hub.ts'
import { eventually } from '../../support/eventually.ts'

let root: string
let server: TestHub
const open: ClientRequest[] = []

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mu-relayed-'))
  server = await openTestHub(join(root, 's'), 1)
})
afterEach(async () => {
  for (const one of open.splice(0)) one.destroy()
  await server.close()
  rmSync(root, { recursive: true, force: true })
})

const asked = (actor: string, options: { path: string; method?: string; headers?: object }): ClientRequest => {
  const sent = request({ socketPath: join(root, 's'), agent: false, ...options, headers: { ...options.headers, 'x-test-actor': actor } })
  sent.on('error', () => {})
  open.push(sent)
  return sent
}

/** An agent of another machine that says where it takes others' beats, and what it was told. */
async function agentOf(node: string) {
  const said: FromServer[] = []
  const life = { node, bootId: `b-${node}`, instance: 1 }
  const actor = `agent:${node}`
  const stream = asked(actor, { path: `/v1/agent/stream?node=${node}&boot=${life.bootId}&instance=1` })
  stream.once('response', (response) => {
    response.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) said.push(JSON.parse(line) as FromServer)
    })
  })
  stream.end()
  await eventually('its stream', 5000, () => said.length > 0)
  const identity = { ...life, pid: 1, region: 'r', zone: 'z', rack: 'k', address: '127.0.0.1', cpuMilli: 1000, memoryBytes: 1 }
  const body: NodeReport = {
    identity: { ...identity, attributes: {} },
    ...{ instance: 1, seq: 1, position: 0, meshPosition: 0, gateway: null, tasks: [], faults: [], hash: 5, relay: '10.0.0.1:1' },
  }
  const reporting = asked(actor, { path: '/v1/agent/report', method: 'POST', headers: { 'content-type': 'application/json' } })
  await new Promise<void>((resolve) => {
    reporting.once('response', (response) => void response.resume().once('end', resolve))
    reporting.end(JSON.stringify(body))
  })
  const last = <K extends FromServer['kind']>(kind: K): Extract<FromServer, { kind: K }> | undefined =>
    said.findLast((one) => one.kind === kind) as Extract<FromServer, { kind: K }> | undefined
  return {
    life,
    via: () => last('via')?.relay ?? null,
    seal: (seq: number, hash = 5) => {
      const given = { seq, hash, ping: last('ping')?.number ?? 0 }
      return { ...given, life: 1, heldMs: 0, mac: shortMac(Buffer.from(last('via')?.relay?.key ?? '', 'base64'), sealedPart(given)) }
    },
    asks: () => said.filter(({ kind }) => kind === 'report').length,
    beats: (): { write: (bytes: Uint8Array) => void; isEnded: () => boolean } => {
      const sent = asked(actor, { path: '/v1/agent/beats', method: 'POST', headers: { 'content-type': BEATS_TYPE } })
      let isEnded = false
      sent.once('close', () => (isEnded = true))
      sent.once('response', (response) => response.resume().on('error', () => {}))
      return { write: (bytes) => void sent.write(bytes), isEnded: () => isEnded }
    },
  }
}

const lastOf = (node: string): number => server.hub.beats.get(node)?.seq ?? 0
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** n1, over which n2 was told to beat, and its connection, on which n2 is life 1. */
async function pair() {
  const [relay, member] = [await agentOf('n1'), await agentOf('n2')]
  await eventually('n2 is told', 5000, () => member.via()?.node === 'n1')
  const over = relay.beats()
  over.write(livesFrame([relay.life]))
  over.write(livesFrame([member.life], true))
  return { relay, member, over }
}

test('a beat over a relay keeps its node alive, and what it says is new is asked for on its own stream', async () => {
  const { member, over } = await pair()
  over.write(sealedFrame([member.seal(7)]))
  await eventually('its beat', 5000, () => lastOf('n2') === 7)
  expect(server.hub.beats.get('n2')?.via).toBe('n1')
  const before = member.asks()
  over.write(sealedFrame([member.seal(8, 6)]))
  await eventually('it is asked', 5000, () => member.asks() > before)
})

test('a relay can neither make a beat up nor give one out as that of another life or as a straight one', async () => {
  const { member, over } = await pair()
  over.write(sealedFrame([{ ...member.seal(9), seq: 10 }]))
  over.write(sealedFrame([{ ...member.seal(9), mac: new Uint8Array(8) }]))
  over.write(livesFrame([{ ...member.life, bootId: 'other' }], true))
  over.write(sealedFrame([{ ...member.seal(9), life: 2 }]))
  over.write(livesFrame([{ ...member.life, node: 'nobody' }], true))
  over.write(sealedFrame([{ ...member.seal(9), life: 3 }]))
  await pause(100)
  expect([lastOf('n2'), server.hub.beats.has('nobody'), over.isEnded()]).toEqual([1, false, false])
  over.write(beatsFrame([{ life: 1, seq: 9, hash: 5 }]))
  await eventually('the connection is ended', 5000, over.isEnded)
  expect(lastOf('n2')).toBe(1)
})

test('what a relay kept for later makes nobody younger than its ping', async () => {
  const { member, over } = await pair()
  const kept = [7, 8, 9].map((seq) => member.seal(seq))
  await pause(3500)
  const before = server.hub.beats.get('n2')?.ageMs ?? 0
  for (const beat of kept) over.write(sealedFrame([beat]))
  await eventually('they come', 5000, () => lastOf('n2') === 9)
  // The ping came at most a second before, and for two seconds after it a beat counts as just made.
  expect(before).toBeGreaterThan(3000)
  expect(server.hub.beats.get('n2')?.ageMs).toBeGreaterThan(1400)
})

test('nothing is believed over a relay of a node that was retired', async () => {
  const { member, over } = await pair()
  server.told(() => void server.state.append([nodeRetired.of({ node: 'n2', reason: '' })]))
  await pause(100)
  over.write(sealedFrame([member.seal(7)]))
  await pause(100)
  expect(lastOf('n2')).toBe(1)
})

test('an agent that is not heard over its relay is told to beat for itself', async () => {
  const { member } = await pair()
  await eventually('it is told so', 8000, () => member.via() === null)
})
