import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { SERVER_PAGE_PATH } from '../../../src/core/delos/measure/names.ts'
import type { ServerPage } from '../../../src/core/delos/measure/server-page.ts'
import { watchedStore, watchStore, type StoreWatch } from '../../../src/server/delos/store-watch.ts'
import { eventually } from '../../support/eventually.ts'
import { pageOf } from '../../support/store-view.ts'

const opened: Server[] = []
let watch: StoreWatch | null = null
afterEach(() => {
  watch?.stop()
  for (const server of opened.splice(0)) server.close()
})

/** A server that tells this page. */
async function telling(page: () => ServerPage): Promise<{ url: string; close: () => void }> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === SERVER_PAGE_PATH ? 200 : 404
    response.end(JSON.stringify(page()))
  })
  opened.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('each look gives a row of each server with what it did since the last one, and what is wrong', async () => {
  let entries = 100
  const server = await telling(() => pageOf('a', { entries: (entries += 7), leader: entries > 130 ? null : 'id-b' }))
  const rows: Record<string, unknown>[] = []
  watch = watchStore([server.url], (table, row) => void (table === 'muster_delos' && rows.push(row)))
  expect(watch.seen()).toBeNull()
  await eventually('two rows', 20_000, () => rows.length >= 2)
  expect(rows.slice(0, 2)).toMatchObject([
    { server: 'a', log: 'kv', entries: 0, position: 100, sync_p99_ms: 1 },
    { server: 'a', entries: 7, is_leader: false },
  ])
  expect(watch.seen()).toEqual([])
  await eventually('nobody leads', 15_000, () => watch?.seen()?.some(({ kind }) => kind === 'NO_QUORUM'))
}, 60_000)

test('when no server answers any more the store has no quorum', async () => {
  const server = await telling(() => pageOf('a'))
  watch = watchStore([server.url], () => undefined)
  await eventually('a look', 20_000, () => watch?.seen()?.length === 0)
  server.close()
  await eventually('it is missed', 20_000, () => watch?.seen()?.some(({ kind, target }) => kind === 'NO_QUORUM' && target === 'store'))
}, 60_000)

test('what the environment names is watched, and nothing else', () => {
  expect(watchedStore({})).toEqual([])
  expect(watchedStore({ MUSTER_DELOS_ENDPOINTS: 'http://a:1, https://b:2,nonsense' })).toEqual(['http://a:1', 'https://b:2'])
})
