import { createServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { EventSender } from '../../../src/agent/mesh/events.ts'
import { Cleanup, endpoint, listen, service, startBackend, startProxy } from './support.ts'
import { eventually } from '../../support/eventually.ts'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A leaf that answers with what `status` says, and keeps the rows it took, by key. */
async function startLeaf(socket: string, status: () => number): Promise<Map<string, string[]>> {
  const taken = new Map<string, string[]>()
  const leaf = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (part: string) => (body += part))
    request.on('end', () => {
      const answer = status()
      if (answer < 300) taken.set(String(request.headers['idempotency-key']), body.trimEnd().split('\n'))
      response.writeHead(answer).end('{}')
    })
  })
  await listen(leaf, socket)
  cleanup.add(() => leaf.close())
  return taken
}

function socketPath(): string {
  const dir = mkdtempSync(join(tmpdir(), 'muster-events-'))
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'leaf.sock')
}

describe('request events', () => {
  it('wait while the leaf is away, then arrive once each, in order', async () => {
    const socket = socketPath()
    const sender = new EventSender(socket)
    cleanup.add(() => sender.close(0))
    const lines = Array.from({ length: 12_345 }, (_, i) => `{"i":${i}}`)
    for (const line of lines) sender.add(line)
    await sleep(100)
    expect(sender.stats()).toEqual({ sent: 0, waiting: 12_345, dropped: 0 })
    let calls = 0
    const taken = await startLeaf(socket, () => ((calls += 1) % 3 === 0 ? 503 : 200))
    await eventually('all rows sent', 20_000, () => sender.stats().sent === 12_345)
    expect([...taken.values()].flat()).toEqual(lines)
  })

  it('beyond 50,000 the oldest are dropped and counted; a post the leaf refuses for good does not block the next', async () => {
    const socket = socketPath()
    const sender = new EventSender(socket)
    cleanup.add(() => sender.close(0))
    for (let i = 0; i < 60_000; i += 1) sender.add(`{"i":${i}}`)
    const { waiting, dropped } = sender.stats()
    expect(waiting + dropped).toBe(60_000)
    expect(waiting).toBeLessThanOrEqual(56_000)
    let calls = 0
    const taken = await startLeaf(socket, () => ((calls += 1) === 1 ? 400 : 200))
    await eventually('no row waiting', 20_000, () => sender.stats().waiting === 0)
    expect([...taken.values()].flat().at(-1)).toBe('{"i":59999}')
    expect(sender.stats().sent + sender.stats().dropped).toBe(60_000)
  })

  it('before a service has its first task they are of no service; afterwards they are, also when none is left', async () => {
    const { port } = await startBackend(cleanup, (_request, response) => response.end('ok'))
    const { url, set, eventsArrived } = await startProxy(cleanup, service([], { name: 'old' }))
    const ask = (name: string): Promise<number> => fetch(url, { headers: { 'x-muster-service': name } }).then(({ status }) => status)
    const statuses: number[] = []
    for (const endpoints of [[], [endpoint(1, port)], []]) {
      await set(service([], { name: 'old' }), service(endpoints))
      statuses.push(await ask('web'))
    }
    // What is there without a task when the proxy comes may have been ready before.
    statuses.push(await ask('old'))
    expect(statuses).toEqual([503, 200, 503, 503])
    expect((await eventsArrived(4)).map(({ service: of, awaited, status }) => [of, awaited, status])).toEqual([
      [null, 'web', 503],
      ['web', undefined, 200],
      ['web', undefined, 503],
      ['old', undefined, 503],
    ])
  })
})
