import { existsSync } from 'node:fs'
import puppeteer, { type Browser } from 'puppeteer-core'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))

export const hasChromium = CHROMIUM !== undefined

/** A browser without a window, of its own profile. Root may not use its sandbox. */
export function startChromium(): Promise<Browser> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return puppeteer.launch({
    executablePath: CHROMIUM ?? '',
    args: [...sandbox, '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
    protocolTimeout: 60_000,
  })
}
