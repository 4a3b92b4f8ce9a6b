import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePort } from '../../src/platform/free-port.ts'
import { freePort as ownPort } from '../support/free-port.ts'

const HOST = '127.0.0.1'

test('ports that are chosen differ, and no outgoing connection can take one', async () => {
  const ports: number[] = []
  for (let i = 0; i < 20; i += 1) ports.push(await freePort(HOST))
  expect(new Set(ports).size).toBe(20)
  expect(Math.max(...ports)).toBeLessThan(16_000)
})

test('a port that is taken is passed over, and none is found when all are', async () => {
  const port = await ownPort()
  const owner = createServer()
  await new Promise<void>((resolve) => owner.listen(port, HOST, resolve))
  await expect(freePort(HOST, { first: port, count: 1 })).rejects.toThrow(`no free port in ${port}–${port}`)
  await new Promise((resolve) => owner.close(resolve))
  expect(await freePort(HOST, { first: port, count: 1 })).toBe(port)
})

test('a host that is not here is said', async () => {
  await expect(freePort('192.0.2.1')).rejects.toThrow('EADDRNOTAVAIL')
})
