import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasChromium, startChromium } from '../support/browser.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

const name = (text: string): string => `${text}${hasChromium ? '' : ' (chromium is not installed)'}`
/** Pictures of the pages are left here, for whoever wants to look at them. */
const SHOTS = process.env['MUSTER_TEST_SHOTS']
const WAIT = { timeout: 20_000 }
const MINUTE = 60_000
const TRACE = 'ae18b2e0eda14161bdc8a3ef633de2b3'

let fleet: TestFleet
let browser: Browser
let page: Page
let origin: string
const strangers: string[] = []
const errors: string[] = []

/** Requests of two services over the last half hour: one of them slow, and failing in its last minutes. */
function rows(): object[] {
  const now = Date.now()
  return Array.from({ length: 1800 }, (_, i) => {
    const isFeed = i % 3 > 0
    const time = now - 30 * MINUTE + i * 1000
    const isBad = !isFeed && i > 1500 && i % 2 === 0
    return {
      time,
      service: isFeed ? 'feed' : 'search',
      version: i > 900 ? 'v2' : 'v1',
      status: isBad ? 500 : 200,
      latency_ms: (isFeed ? 12 : 80) + (i % 17),
      path: `/p${i % 4}`,
      trace: i === 1750 ? TRACE : `t${i}`,
    }
  })
}

async function send(table: string, rowsToSend: object[]): Promise<void> {
  const file = join(fleet.home, 'rows.ndjson')
  writeFileSync(file, rowsToSend.map((row) => JSON.stringify(row)).join('\n'))
  await fleet.data('scuba', 'send', table, file)
}

beforeAll(async () => {
  if (!hasChromium) return
  fleet = newFleet()
  const up = await fleet.muster('up', '--nodes', '0', '--name', 'a', '--json')
  expect(up.exitCode, up.stdout + up.stderr).toBe(0)
  await send('requests', rows())
  const { url } = await fleet.data('scuba', 'open', 'explore', 'requests', '--since', '30m', '--no-browser')
  origin = new URL(url).origin
  browser = await startChromium()
  page = await browser.newPage()
  await page.setViewport({ width: 1440, height: 900 })
  page.on('request', (request) => {
    // The browser draws the signs of its own fields from data.
    if (!request.url().startsWith('data:') && new URL(request.url()).origin !== origin) strangers.push(request.url())
  })
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    // A refusal that the page shows is no error of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) errors.push(`${message.text()} ${page.url()}`)
  })
  await page.goto(url)
}, 180_000)
afterAll(async () => {
  await browser?.close()
  await fleet?.end()
}, 60_000)

async function hasText(selector: string, text: string): Promise<void> {
  const check = `[...document.querySelectorAll(${JSON.stringify(selector)})].some((one) => one.textContent.includes(${JSON.stringify(text)}))`
  await page.waitForFunction(check, WAIT).catch(async () => {
    throw new Error(`${selector} never says "${text}": ${String(await page.evaluate(`document.querySelector('#page').textContent`))}`)
  })
}

const search = async (): Promise<URLSearchParams> => new URLSearchParams(String(await page.evaluate('location.search')))

async function visit(path: string): Promise<void> {
  await page.goto(origin + path)
  await page.waitForSelector('h1', WAIT)
}

async function shoot(file: string): Promise<void> {
  if (SHOTS === undefined) return
  for (const scheme of ['dark', 'light'] as const) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    await page.screenshot({ path: join(SHOTS, `${file}-${scheme}.png`), fullPage: true })
  }
}

/** Pixels of the chart that are not its ground. */
const INK = `(() => {
  const canvas = document.querySelector('.chart canvas')
  if (!canvas || canvas.width === 0) return 0
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  let ink = 0
  for (let i = 3; i < data.length; i += 4) if (data[i] > 0) ink += 1
  return ink
})()`

test.skipIf(!hasChromium)(
  name('the explorer draws a line for each group, and its table, its badge and its address say the same'),
  { timeout: 120_000 },
  async () => {
    await page.waitForFunction(`${INK} > 500`, WAIT)
    await hasText('.coverage', '● 100 %')
    await page.type('#add-by', 'service')
    await page.keyboard.press('Enter')
    await hasText('.groups td', 'feed')
    await hasText('.groups td', 'search')
    expect((await search()).getAll('by')).toEqual(['service'])
    // A value of a column becomes a condition, and back goes back.
    await (await page.waitForSelector('::-p-xpath(//button[@class="column"][contains(., "service")])', WAIT))?.click()
    await (await page.waitForSelector('button[aria-label="only service search"]', WAIT))?.click()
    await hasText('.word code', "service = 'search'")
    await page.waitForFunction(`![...document.querySelectorAll('.groups td')].some((one) => one.textContent.includes('feed'))`, WAIT)
    await shoot('explore')
    await page.goBack()
    await hasText('.groups td', 'feed')
  },
)

test.skipIf(!hasChromium)(name('by keys alone a point opens its rows, a row its values and its trace'), { timeout: 120_000 }, async () => {
  await visit('/scuba?table=requests&by=service&since=30m&where=status%20%3D%20500')
  await page.waitForFunction(`${INK} > 500`, WAIT)
  await page.evaluate(`document.querySelector('.plot').focus()`)
  for (let i = 0; i < 6; i += 1) await page.keyboard.press('ArrowLeft')
  await hasText('.readout', 'search')
  await page.keyboard.press('Enter')
  await page.waitForSelector('.rows tbody tr', WAIT)
  const { mark, tab } = Object.fromEntries(await search())
  expect(tab).toBe('rows')
  expect(mark).toMatch(/^\d+-\d+$/)
  await page.evaluate(`document.querySelector('.rows button').focus()`)
  await page.keyboard.press('Enter')
  await hasText('.opened-row', 'search')
  const href = await page.$eval('.opened-row a', (link) => link.getAttribute('href') ?? '')
  expect(href).toMatch(/^\/trace\?id=t\d+$/)
  await shoot('rows')
})

test.skipIf(!hasChromium)(
  name('a stretch is marked with Shift and the arrows, and what is different in it is ranked'),
  { timeout: 120_000 },
  async () => {
    await visit('/scuba?table=requests&since=30m')
    await page.waitForFunction(`${INK} > 500`, WAIT)
    await page.evaluate(`document.querySelector('.plot').focus()`)
    await page.keyboard.down('Shift')
    for (let i = 0; i < 20; i += 1) await page.keyboard.press('ArrowLeft')
    await page.keyboard.up('Shift')
    await hasText('.mark-bar', 'what is different?')
    await page.keyboard.press('D')
    await hasText('.diffs h3', 'version')
    await shoot('diff')
    await page.keyboard.press('z')
    await page.waitForFunction(`location.search.includes('until=')`, WAIT)
    expect((await search()).get('mark')).toBeNull()
  },
)

test.skipIf(!hasChromium)(
  name('a link with fixed times shows the same rows later; a live chart takes in what comes'),
  { timeout: 120_000 },
  async () => {
    await fleet.data('scuba', 'saved', 'put', 'fixed', '--table', 'requests', '--since', '30m', '--by', 'version')
    const { url } = await fleet.data('scuba', 'open', 'saved', 'fixed', '--absolute', '--no-browser')
    await page.goto(url)
    await page.waitForSelector('.groups td', WAIT)
    expect((await search()).get('until')).toMatch(/Z$/)
    const address = String(await page.evaluate('location.href'))
    const counts = `[...document.querySelectorAll('.groups td.number')].map((one) => one.textContent).join()`
    const before = await page.evaluate(counts)
    await send('requests', [{ time: Date.now(), service: 'late', version: 'v3', status: 200, latency_ms: 1 }])
    await page.goto(address)
    await page.waitForSelector('.groups td', WAIT)
    expect(await page.evaluate(counts)).toBe(before)
    await visit('/scuba?table=requests&since=5m&by=version')
    await hasText('.groups td', 'v3')
    await send('requests', [{ time: Date.now(), service: 'late', version: 'v4', status: 200, latency_ms: 1 }])
    await hasText('.groups td', 'v4')
  },
)

test.skipIf(!hasChromium)(
  name('a heat map, a comparison and a range without rows are shown as what they are'),
  { timeout: 120_000 },
  async () => {
    await visit('/scuba?table=requests&since=30m&view=heat&heat=latency_ms')
    await page.waitForFunction(`${INK} > 2000`, WAIT)
    await shoot('heat')
    await visit('/scuba?table=requests&since=10m&by=service&compare=15m')
    await hasText('.groups th', 'earlier')
    await visit('/scuba?table=requests&where=service%20%3D%20%27nobody%27')
    await hasText('.state-box', '∅ No rows')
    await visit('/scuba?table=requests&where=nothing%20%3D%201')
    await hasText('.state-box.refused', 'there is no column nothing')
  },
)

test.skipIf(!hasChromium)(name('SQL is run by Ctrl+Enter, and an error is shown where it is'), { timeout: 120_000 }, async () => {
  await visit('/sql')
  await page.focus('textarea')
  await page.keyboard.down('Control')
  await page.keyboard.press('Enter')
  await page.keyboard.up('Control')
  await hasText('.rows td', 'feed')
  await shoot('sql')
  await visit(`/sql?sql=${encodeURIComponent('select service\nfrom requests\ngroup by servic')}`)
  await hasText('.place', '3 │ group by servic')
  expect(await page.$eval('textarea', (field) => (field as unknown as { selectionStart: number }).selectionStart)).toBe(38)
  await shoot('sql-error')
})

test.skipIf(!hasChromium)(
  name('a board shows its panels of one request, and one that fails leaves the others'),
  { timeout: 120_000 },
  async () => {
    for (const board of ['requests', 'scuba']) await fleet.data('scuba', 'board', 'put', resolve(`templates/boards/${board}.yaml`))
    await visit('/boards')
    await hasText('.cards a', 'Requests')
    let asked = 0
    const count = (request: { url: () => string }): void => void (request.url().endsWith('/v1/scuba/board') && (asked += 1))
    page.on('request', count)
    await visit('/boards?name=requests')
    await page.waitForFunction(`document.querySelectorAll('.board canvas').length >= 4`, WAIT)
    page.off('request', count)
    expect(asked).toBe(1)
    await hasText('.numbers', 'p99:latency_ms')
    // Rows of this table say nothing of why they failed.
    await hasText('.state-box.refused', 'there is no column reason')
    await shoot('board')
  },
)

test.skipIf(!hasChromium)(
  name('an alert shows the points it was judged by, objectives how they stand, a trace its spans'),
  { timeout: 120_000 },
  async () => {
    await fleet.data('scuba', 'alert', 'put', resolve('templates/alerts/requests-5xx.yaml'))
    await visit('/alerts?name=requests-5xx')
    await hasText('.breached td', 'search')
    await shoot('alerts')
    await fleet.data('scuba', 'slo', 'put', resolve('templates/slos/muster.yaml'))
    await visit('/slo')
    await hasText('td', 'muster-api')
    await shoot('slo')
    await visit(`/trace?id=${TRACE}`)
    await hasText('td', 'requests')
    await shoot('trace')
  },
)

test.skipIf(!hasChromium)(
  name('no page of scuba sticks out at 360 px, is without help, asks anybody else, or fails in its script'),
  { timeout: 120_000 },
  async () => {
    await page.setViewport({ width: 360, height: 740 })
    for (const path of [
      '/scuba?table=requests&by=service&tab=rows',
      '/sql',
      '/boards?name=requests',
      '/slo',
      '/alerts?name=requests-5xx',
      `/trace?id=${TRACE}`,
    ]) {
      await visit(path)
      await sleep(400)
      expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(360)
      await shoot(`${path.slice(1).split('?')[0]}-360`)
    }
    await page.keyboard.press('?')
    await hasText('dialog[open]', 'g, then')
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await page.keyboard.press('e')
    await page.waitForFunction(`location.pathname === '/scuba'`, WAIT)
    expect(strangers).toEqual([])
    expect(errors).toEqual([])
  },
)
