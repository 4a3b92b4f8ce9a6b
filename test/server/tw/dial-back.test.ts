import { createServer } from 'node:http'
import { duplexPair, type Duplex } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { textOf } from '../../../src/platform/streams.ts'
import { askBack, createDialBack } from '../../../src/server/tw/dial-back.ts'

/** An agent's control socket at the other end of a connection. */
function agentEnd(): Duplex {
  const server = createServer((request, response) => response.end(`answer to ${request.method} ${request.url}`))
  const [ours, theirs] = duplexPair()
  server.emit('connection', theirs)
  return ours
}

test.each(['before', 'after'])('a question goes over the connection of its own ticket, which comes %s it is asked', async (when) => {
  const dialBack = createDialBack()
  const come = (): void => {
    expect(dialBack.arrive('t1', agentEnd())).toBe(true)
  }
  if (when === 'before') come()
  const text = new Promise<string>((resolve, reject) => {
    const asking = askBack(dialBack, 't1', { path: '/status', method: 'GET' }, (answer) => void textOf(answer).then(resolve, reject))
    asking.once('error', reject)
    asking.end()
  })
  if (when === 'after') come()
  expect(await text).toBe('answer to GET /status')
})

test('an agent that does not come is an error, and one that comes too often is sent away', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const dialBack = createDialBack()
    const taken = dialBack.take('t1')
    vi.advanceTimersByTime(6000)
    await expect(taken).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(dialBack.arrive('t2', duplexPair()[0])).toBe(true)
    expect(dialBack.arrive('t2', duplexPair()[0])).toBe(false)
  } finally {
    vi.useRealTimers()
  }
})
