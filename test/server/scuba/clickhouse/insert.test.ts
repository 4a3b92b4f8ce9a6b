import { createReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freePort } from '../../../../src/platform/free-port.ts'
import { Connection } from '../../../../src/server/scuba/clickhouse/connection.ts'

test('rows that nobody read, whose file is gone when they would be, end the insert and not the process', async () => {
  const connection = new Connection(`http://127.0.0.1:${await freePort('127.0.0.1')}/events`)
  await connection.look()
  const rows = createReadStream('/nonexistent/rows.native')
  await expect(connection.insert('INSERT INTO `t` FORMAT Native', rows)).rejects.toMatchObject({ code: 'SCUBA_DOWN' })
  // An error that nobody hears fails the run.
  await sleep(50)
  expect(rows.destroyed).toBe(true)
  await connection.close()
})
