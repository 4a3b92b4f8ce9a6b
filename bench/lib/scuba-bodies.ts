import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Receipt } from '../../src/core/scuba/wire-types.ts'
import type { ScratchLeaf } from '../../src/server/scuba/measure/scratch-leaf.ts'
import { ndjson } from './scuba-rows.ts'
import { openEngine } from './scuba-store.ts'

const CONNECTIONS = 8
/** a megabyte of text */
const BODY_ROWS = 2375
const ROW_EVERY_US = 200
/** bodies there are; they are sent again and again */
const BODIES = 64

/** Bodies of a megabyte each, their rows of half a minute of the hour before this one. */
export async function makeBodies(): Promise<Buffer[]> {
  const connection = await openEngine(2)
  const fromMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000
  const bodies: Buffer[] = []
  for (let i = 0; i < BODIES; i += 1)
    bodies.push(await ndjson(connection, { first: i * BODY_ROWS, rows: BODY_ROWS, fromMs, everyUs: ROW_EVERY_US }))
  connection.disconnectSync()
  return bodies
}

/** Sends bodies on eight kept connections until `next` gives none; calls with how long each took. */
export async function sendBodies(
  leaf: ScratchLeaf,
  table: string,
  next: () => Buffer | undefined,
  onAck: (ms: number) => void = () => undefined,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const post = (body: Buffer): Promise<Receipt> =>
    new Promise((resolve, reject) => {
      const options = { socketPath: leaf.socket, agent, method: 'POST', path: `/v1/scuba/tables/${table}/rows` }
      const sent = request({ ...options, headers: { 'content-length': body.length } }, (response) => {
        const received: Buffer[] = []
        response.on('data', (part: Buffer) => received.push(part))
        response.once('end', () => {
          const text = Buffer.concat(received).toString('utf8')
          if (response.statusCode === 200) resolve(JSON.parse(text) as Receipt)
          else reject(new Error(`${response.statusCode}: ${text}`))
        })
      })
      sent.once('error', reject)
      sent.end(body)
    })
  const connection = async (): Promise<void> => {
    for (let body = next(); body; body = next()) {
      const started = performance.now()
      const { quarantined } = await post(body)
      if (quarantined > 0) throw new Error('rows of the benchmark went to quarantine')
      onAck(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  agent.destroy()
}

/** Bodies one after the other, from the first again after the last, until they are so many bytes. */
export function upTo(bytesMax: number, bodies: readonly Buffer[]): () => Buffer | undefined {
  let bytes = 0
  let sent = 0
  return () => {
    if (bytes >= bytesMax) return undefined
    const body = bodies[(sent += 1) % bodies.length]
    bytes += body?.length ?? 0
    return body
  }
}

/** Seals what a table has, and waits for what is being sealed already. */
export async function sealed(leaf: ScratchLeaf, table: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const sent = request({ socketPath: leaf.socket, method: 'POST', path: `/v1/scuba/tables/${table}/seal` }, (response) => {
      response.resume()
      response.once('end', resolve)
    })
    sent.once('error', reject)
    sent.end()
  })
  while ((await leaf.client.table(table)).chunks > 0) await sleep(50)
}
