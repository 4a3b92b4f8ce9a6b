import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { PgConnection } from '../../../../src/server/scuba/leaf/pg/connection.ts'

test('a client that takes nothing is given up after a while, so that its statement ends', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = createConnection((server.address() as AddressInfo).port, '127.0.0.1').pause()
  const [socket] = (await once(server, 'connection')) as [Socket]
  const connection = new PgConnection(socket, 100)
  // More than the kernel takes for it.
  for (let part = 0; part < 200; part += 1) socket.write(Buffer.alloc(100_000))
  await connection.flush()
  expect(connection.gone.signal.aborted).toBe(true)
  client.destroy()
  server.close()
})
