import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { writeClickHouse } from '../../src/server/scuba/clickhouse/settings.ts'
import { ScratchLeaf } from '../../src/server/scuba/measure/scratch-leaf.ts'
import { Chdb, noChdb } from '../../test/support/chdb.ts'
import { ClickHouseServer, noClickHouse } from '../../test/support/clickhouse.ts'

/** A leaf, and where it seals into: files, or a ClickHouse that runs for it. */
export interface Side {
  name: string
  leaf: ScratchLeaf
  server: ClickHouseServer | Chdb | null
}

/** One that seals into files, and one for each ClickHouse that can be had here. Whatever was started ends when `use` does. */
export async function* withSides<T>(dir: string, use: (sides: readonly Side[]) => AsyncGenerator<T>): AsyncGenerator<T> {
  const sides: Side[] = [
    { name: 'DuckDB', server: null },
    ...(noClickHouse === null ? [{ name: 'ClickHouse 18.16', server: new ClickHouseServer() }] : []),
    ...(noChdb() === null ? [{ name: 'chdb', server: new Chdb() }] : []),
  ].map((side) => ({ ...side, leaf: new ScratchLeaf(join(dir, side.name.replaceAll(/\W/g, ''))) }))
  try {
    for (const { leaf, server } of sides) {
      await server?.start()
      mkdirSync(leaf.dir)
      writeClickHouse(leaf.dir, server?.url ?? null)
      await leaf.start()
    }
    yield* use(sides)
  } finally {
    for (const { leaf, server } of sides) {
      await leaf.end('SIGKILL')
      await server?.remove()
    }
  }
}

export async function sealTable({ socket }: ScratchLeaf, table: string): Promise<void> {
  const sent = request({ socketPath: socket, method: 'POST', path: `/v1/scuba/tables/${table}/seal` })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  if (response.statusCode !== 200) throw new Error(`seal: ${response.statusCode} ${Buffer.concat(parts).toString('utf8')}`)
}
