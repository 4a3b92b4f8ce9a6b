import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startBrowser } from '../../src/cli/browser.ts'
import { renderOpened } from '../../src/cli/render/opened.ts'
import { eventually } from '../support/eventually.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-browser-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test.skipIf(process.platform !== 'linux')('a link is opened where there is a display and a program for it, and nowhere else', async () => {
  const url = 'http://127.0.0.1:1/open?page=log&code=x'
  const env = { PATH: folder, DISPLAY: ':0' }
  expect(await startBrowser(url, env), 'no program').toBe(false)
  const told = join(folder, 'told')
  writeFileSync(join(folder, 'xdg-open'), `#!/bin/sh\necho "$1" > ${told}\n`, { mode: 0o755 })
  expect(await startBrowser(url, { PATH: folder }), 'no display').toBe(false)
  expect(await startBrowser(url, env)).toBe(true)
  await eventually('it is told the link', 5000, () => existsSync(told) && readFileSync(told, 'utf8') === `${url}\n`)
})

test('the link stands alone in its line, and how long it is good is said', () => {
  const opened = { url: 'http://127.0.0.1:1/open', expiresAt: 60_000 }
  expect(renderOpened(opened, { now: 0, isStarted: false }).split('\n')).toEqual([opened.url, 'The link is good once, for 60 s'])
  expect(renderOpened(opened, { now: 0, isStarted: true })).toContain('opened in the browser')
})
