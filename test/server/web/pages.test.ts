import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLogger } from '../../../src/platform/logger.ts'
import { knownCaller } from '../../../src/server/api/callers.ts'
import { PAGES, type Assets } from '../../../src/server/web/assets.ts'
import { createPages, type Pages } from '../../../src/server/web/pages.ts'
import { SESSION_MS } from '../../../src/server/web/sessions.ts'
import { eventually } from '../../support/eventually.ts'

const assets: Assets = {
  manifest: {
    style: 's.css',
    icon: 'i.svg',
    pages: Object.fromEntries(PAGES.map((page) => [page, `${page}-1.js`])) as Assets['manifest']['pages'],
    files: ['log-1.js'],
  },
  files: new Map([['log-1.js', { type: 'text/javascript; charset=utf-8', bytes: Buffer.from('go()') }]]),
}
const anna = { actor: 'user:anna', role: 'admin' } as const

let now = 1_700_000_000_000
let pages: Pages
let asked: unknown[]
beforeEach(() => {
  // The sweep alone: connections keep their own clocks.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  asked = []
  pages = createPages({
    log: createLogger(null),
    now: () => now,
    assets: () => assets,
    pass: (request, response) => {
      asked.push([request.url, knownCaller({ raw: request } as never), request.headers.cookie])
      response.end('{}')
    },
  })
})
afterEach(async () => {
  await pages.close()
  vi.useRealTimers()
})

async function comeIn(): Promise<{ origin: string; cookie: string }> {
  const { url } = await pages.open(anna, { page: 'store' })
  const response = await fetch(url)
  expect(await response.text()).toContain('url=/store')
  return { origin: new URL(url).origin, cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '' }
}

test('who was let in has pages, their files and the operations, as a viewer of the name that asked', async () => {
  const { origin, cookie } = await comeIn()
  const get = (path: string, init: RequestInit = {}): Promise<Response> => fetch(origin + path, { ...init, headers: { cookie } })
  expect(await (await get('/store')).text()).toContain('src="/assets/store-1.js"')
  expect(await (await get('/')).text()).toContain('src="/assets/log-1.js"')
  const script = await get('/assets/log-1.js')
  expect([await script.text(), script.headers.get('cache-control')]).toEqual(['go()', 'private, max-age=31536000, immutable'])
  expect((await get('/assets/..%2f..%2fpackage.json')).status).toBe(404)
  expect((await get('/nothing')).status).toBe(404)
  expect((await get('/log', { method: 'POST' })).status).toBe(405)
  await get('/v1/status')
  // What answers behind never sees the cookie.
  expect(asked).toEqual([['/v1/status', { actor: 'user:anna', role: 'viewer' }, undefined]])
})

test('nothing listens before somebody asks, nor once every session is over', async () => {
  const { origin, cookie } = await comeIn()
  vi.advanceTimersByTime(60_000)
  expect((await fetch(`${origin}/log`, { headers: { cookie } })).status).toBe(200)
  now += SESSION_MS
  expect((await fetch(`${origin}/log`, { headers: { cookie } })).status, 'twelve hours are over').toBe(401)
  vi.advanceTimersByTime(60_000)
  await eventually('the listener is gone', 5000, async () => {
    return fetch(`${origin}/log`).then(
      () => false,
      () => true,
    )
  })
  // It comes again for who asks again; the old cookie is nobody's.
  const again = await comeIn()
  expect((await fetch(`${again.origin}/log`, { headers: { cookie } })).status).toBe(401)
})

test('a page that there is not, and pages that are not built, are refused, and nothing listens', async () => {
  await expect(pages.open(anna, { page: 'fleet' })).rejects.toMatchObject({ code: 'USAGE' })
  const { readAssets } = await import('../../../src/server/web/assets.ts')
  const unbuilt = createPages({ log: createLogger(null), pass: () => {}, assets: () => readAssets('/nowhere') })
  await expect(unbuilt.open(anna, {})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await unbuilt.close()
})
