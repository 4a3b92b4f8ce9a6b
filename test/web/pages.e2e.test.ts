import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasChromium, startChromium } from '../support/browser.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

const name = (text: string): string => `${text}${hasChromium ? '' : ' (chromium is not installed)'}`
/** Pictures of the pages are left here, for whoever wants to look at them. */
const SHOTS = process.env['MUSTER_TEST_SHOTS']
const WAIT = { timeout: 20_000 }

let fleet: TestFleet
let browser: Browser
beforeAll(async () => {
  if (!hasChromium) return
  fleet = newFleet()
  const up = await fleet.muster('up', '--nodes', '0', '--name', 'a', '--json')
  expect(up.exitCode, up.stdout + up.stderr).toBe(0)
  browser = await startChromium()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await fleet?.end()
}, 60_000)

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** One request to the pages, with whatever name they are called by. */
function reach(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { hostname, port, pathname, search } = new URL(url)
  return new Promise((resolve, reject) => {
    const sending = httpRequest({ host: hostname, port, path: pathname + search, method, headers }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    sending.once('error', reject)
    sending.end()
  })
}

const opened = (...args: string[]): Promise<{ url: string; expiresAt: number }> => fleet.data('open', ...args, '--no-browser')

/** A new tab, let in by a link of its own. `strangers`: what it asked of anybody else. */
async function openPage(which: 'log' | 'store'): Promise<{ page: Page; origin: string; strangers: string[]; errors: string[] }> {
  const { url } = await opened(which)
  const { origin } = new URL(url)
  const page = await browser.newPage()
  await page.setViewport({ width: 1280, height: 900 })
  const [strangers, errors]: string[][] = [[], []]
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) strangers?.push(request.url())
  })
  page.on('console', (message) => {
    if (message.type() === 'error') errors?.push(message.text())
  })
  page.on('pageerror', (error) => errors?.push(String(error)))
  await page.goto(url)
  await page.waitForSelector('h1', WAIT)
  return { page, origin, strangers: strangers ?? [], errors: errors ?? [] }
}

const textOf = (page: Page, selector: string): Promise<string> => page.$eval(selector, (element) => element.textContent ?? '')

async function hasText(page: Page, selector: string, text: string): Promise<void> {
  const check = `[...document.querySelectorAll(${JSON.stringify(selector)})].some((one) => one.textContent.includes(${JSON.stringify(text)}))`
  await page.waitForFunction(check, WAIT).catch(async () => {
    throw new Error(`${selector} never says "${text}": ${await textOf(page, '#page')}`)
  })
}

/** As the browser says it to a tab that another one covers. */
async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(
    `Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))`,
  )
}

async function shoot(page: Page, file: string): Promise<void> {
  if (SHOTS === undefined) return
  for (const scheme of ['dark', 'light'] as const) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    await page.screenshot({ path: join(SHOTS, `${file}-${scheme}.png`), fullPage: true })
  }
}

test.skipIf(!hasChromium)(
  name('the page log shows the chain as a band, with each switch, who made it and when, and the entries as they come'),
  { timeout: 180_000 },
  async () => {
    const { page, strangers, errors } = await openPage('log')
    await page.waitForSelector('.segment.file.open', WAIT)
    await hasText(page, '.link', 'live')
    const before = await page.$$eval('#log-kv ~ .scroll tbody tr', (rows) => rows.length)
    await fleet.data('delos', 'kv', 'put', 'teams/web/limit', '10')
    const { to } = await fleet.data('delos', 'log', 'switch', 'kv', '--to', 'quorum', '--yes')
    // Without a reload: the switch, its person, and the entry that notes it.
    await hasText(page, '.switch text', 'user:tester')
    await page.waitForSelector('section:nth-of-type(2) .segment.quorum.open', WAIT)
    await page.waitForSelector('section:nth-of-type(2) .segment.file.sealed', WAIT)
    await hasText(page, '.entries td', 'delos.LogMoved')
    await hasText(page, '.entries td', 'the log kv went from file to quorum')
    // The table says the same.
    expect(await page.$$eval('#log-kv ~ .scroll tbody tr', (rows) => rows.length)).toBe(before + 1)
    await hasText(page, '#log-kv ~ .scroll td code', to.loglet)
    // By keys alone: what has the focus is told.
    await page.evaluate(`document.querySelector('section:nth-of-type(2) .segment.file').focus()`)
    await hasText(page, 'section:nth-of-type(2) .details', 'sealed')
    await page.keyboard.press('ArrowRight')
    await hasText(page, 'section:nth-of-type(2) .details', 'open: it takes appends')
    // An incident stands on the axis of the log, as a link to its row.
    await fleet.data('sev', 'declare', 'the site is slow', '--sev', '2', '--yes')
    await page.waitForSelector('a.mark.incident', WAIT)
    const href = await page.$eval('a.mark.incident', (link) => link.getAttribute('href') ?? '')
    await hasText(page, `${href.replace('#', '[id="')}"]`, 'the site is slow')
    await shoot(page, 'log')
    await page.keyboard.press('?')
    expect(await page.$eval('dialog', (dialog) => (dialog as unknown as { open: boolean }).open)).toBe(true)
    await page.keyboard.press('Escape')
    await page.setViewport({ width: 360, height: 740 })
    const wide = await page.evaluate('document.documentElement.scrollWidth')
    expect(wide, 'nothing sticks out at 360 px').toBeLessThanOrEqual(360)
    await shoot(page, 'log-360')
    expect(strangers).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
)

test.skipIf(!hasChromium)(
  name('the page store shows the tree of keys, a key with its versions, and what changes as it happens'),
  { timeout: 180_000 },
  async () => {
    for (const [key, value] of [
      ['teams/web/limit', '10'],
      ['teams/web/limit', '20'],
      ['teams/web/owner', '{"name":"anna","on":["mon","tue"]}'],
      ['teams/search/limit', '5'],
      ['plain', 'x'],
    ] as const)
      await fleet.data('delos', 'kv', 'put', key, value)
    const { page, strangers, errors } = await openPage('store')
    const row = (label: string): string => `::-p-xpath(//li[@role="treeitem"][span[@class="label"]="${label}"])`
    await (await page.waitForSelector(row('teams/'), WAIT))?.click()
    await hasText(page, '.tree li', 'web/2')
    await (await page.waitForSelector(row('web/'), WAIT))?.click()
    await (await page.waitForSelector(row('limit'), WAIT))?.click()
    await hasText(page, '.value', '20')
    await hasText(page, '.diff .removed', '10')
    await hasText(page, '.diff .added', '20')
    await fleet.data('delos', 'kv', 'put', 'teams/web/limit', '30')
    await hasText(page, '.value', '30')
    await hasText(page, '.diff .removed', '20')
    await fleet.data('delos', 'kv', 'put', 'teams/web/new', '1')
    await page.waitForSelector(row('new'), WAIT)
    await hasText(page, '#changes ~ .scroll td', 'teams/web/new')
    await shoot(page, 'store')
    // A hidden page lets go, and catches up when it is seen again.
    await hide(page, true)
    await fleet.data('delos', 'kv', 'put', 'teams/web/quiet', '1')
    expect(await textOf(page, '#page')).not.toContain('quiet')
    await hide(page, false)
    await hasText(page, '#changes ~ .scroll td', 'teams/web/quiet')
    await fleet.data('delos', 'kv', 'del', 'teams/web/limit')
    await hasText(page, '.notice', 'It was deleted')
    await page.waitForFunction(`![...document.querySelectorAll('.tree .label')].some((one) => one.textContent === 'limit')`, WAIT)
    // By keys alone: close the prefix, and open it again.
    await (await page.waitForSelector(row('web/'), WAIT))?.focus()
    await page.keyboard.press('ArrowLeft')
    await page.waitForFunction(`![...document.querySelectorAll('.tree .label')].some((one) => one.textContent === 'owner')`, WAIT)
    await page.keyboard.press('ArrowRight')
    await (await page.waitForSelector(row('owner'), WAIT))?.focus()
    await page.keyboard.press('Enter')
    await hasText(page, '.value', '"anna"')
    await page.setViewport({ width: 360, height: 740 })
    expect(await page.evaluate('document.documentElement.scrollWidth'), 'nothing sticks out at 360 px').toBeLessThanOrEqual(360)
    await shoot(page, 'store-360')
    expect(strangers).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
)

test.skipIf(!hasChromium)(
  name('who comes without a session, with a code that was used, by another name or from another origin gets nothing'),
  { timeout: 120_000 },
  async () => {
    const { url, expiresAt } = await opened('log')
    expect(expiresAt - Date.now()).toBeGreaterThan(30_000)
    const { origin, port } = new URL(url)
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/open\?page=log&code=[\w-]{32}$/)
    expect((await reach(`${origin}/log`)).status).toBe(401)
    expect((await reach(`${origin}/v1/status`)).status).toBe(401)
    expect((await reach(url, { host: `muster.example:${port}` })).status).toBe(403)
    expect((await reach(url, { host: `localhost:${port}` })).status).toBe(403)
    const first = await reach(url)
    expect(first.status).toBe(200)
    const [cookie = ''] = [first.headers['set-cookie']].flat()
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict/)
    expect(first.headers['content-security-policy']).toContain("default-src 'self'")
    expect((await reach(url)).status, 'a code is good once').toBe(403)
    const session = { cookie: cookie.split(';')[0] ?? '' }
    expect((await reach(`${origin}/log`, session)).status).toBe(200)
    expect((await reach(`${origin}/v1/status`, session)).status).toBe(200)
    expect((await reach(`${origin}/log`, { ...session, host: `muster.example:${port}` })).status).toBe(403)
    expect((await reach(`${origin}/v1/status`, { ...session, origin: 'http://127.0.0.1:1' })).status).toBe(403)
    expect((await reach(`${origin}/v1/status`, { ...session, 'sec-fetch-site': 'same-site' })).status).toBe(403)
    expect((await reach(`${origin}/v1/status`, session)).headers['access-control-allow-origin']).toBeUndefined()
    // It only looks, though who asked for the link may do all.
    const put = await reach(`${origin}/v1/delos/kv/put?key=a&value=b`, session, 'POST')
    expect([put.status, put.body.includes('NOT_PERMITTED')]).toEqual([403, true])
    expect((await reach(`${origin}/v1/web/codes`, session, 'POST')).status).toBe(403)
  },
)
