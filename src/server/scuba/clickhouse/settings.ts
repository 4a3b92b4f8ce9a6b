import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { refuse } from '../../../core/kernel/errors.ts'
import { replaceFileDurably } from '../../../platform/files.ts'

/** Where a leaf's sealed rows go is in its folder, and not on its command line, which everybody on the machine may read. */
const fileOf = (dir: string): string => join(dir, 'clickhouse.json')

/** The URLs, with users and passwords; null: rows are sealed into files. */
export function readClickHouse(dir: string): string | null {
  if (!existsSync(fileOf(dir))) return null
  return (JSON.parse(readFileSync(fileOf(dir), 'utf8')) as { url: string }).url
}

/** @param url as {@link parseClickHouse} gives it; null: into files from now on */
export function writeClickHouse(dir: string, url: string | null): void {
  if (url === null) rmSync(fileOf(dir), { force: true })
  else {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    replaceFileDurably(fileOf(dir), `${JSON.stringify({ url })}\n`)
  }
}

/** One or more URLs as a person gives them, checked. @throws USAGE */
export function parseClickHouse(text: string): string {
  const urls = urlsOf(text).map(parseOne)
  if (new Set(urls.map((url) => new URL(url)).map(({ host, pathname }) => host + pathname)).size < urls.length)
    throw refuse('USAGE', '--clickhouse names a database twice', { hint: 'Each server or database is named once; the order counts.' })
  return urls.join(',')
}

/** Its URLs; the place of each is the number its seals are known by. */
export const urlsOf = (text: string): string[] => text.split(/,(?=https?:)/)

function parseOne(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const isGood = url !== null && ['http:', 'https:'].includes(url.protocol) && /^\/?[A-Za-z0-9_]*$/.test(url.pathname) && url.search === ''
  if (!isGood)
    throw refuse('USAGE', '--clickhouse is not http://USER:PASSWORD@HOST:PORT/DATABASE, or several with commas between them', {
      hint: "ClickHouse's HTTP port usually is 8123; without a user it is `default`, without a database `default`.",
    })
  return url.href
}

/** What tells one URL from another, and is no secret: a leaf that runs on from before may have been told another one. */
export const clickHouseMark = (url: string | null): string =>
  url === null ? '' : createHash('sha256').update(url).digest('base64url').slice(0, 12)
