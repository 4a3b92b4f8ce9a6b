import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The newest ClickHouse there is as a package. 540 MB, so it is no dependency: it is fetched once, by those who want it. */
const VERSION = '3.4.0'
const PREFIX = process.env['MUSTER_CHDB'] ?? join(tmpdir(), `muster-chdb-${VERSION}`)
const FETCH_MS_MAX = 110_000

let why: string | null | undefined

/** Why it cannot be had, or null. Fetches it if it is not there. */
export function noChdb(): string | null {
  if (why !== undefined) return why
  if (!existsSync(join(PREFIX, 'node_modules', 'chdb', 'package.json'))) {
    mkdirSync(PREFIX, { recursive: true })
    const args = ['i', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', PREFIX, `chdb@${VERSION}`]
    const { status } = spawnSync('npm', args, { timeout: FETCH_MS_MAX, stdio: 'ignore', cwd: PREFIX })
    if (status !== 0) {
      rmSync(PREFIX, { recursive: true, force: true })
      return (why = 'chdb cannot be fetched')
    }
  }
  return (why = null)
}

/** The same for tests, which fetch nothing. */
export const hasNoChdb = existsSync(join(PREFIX, 'node_modules', 'chdb', 'package.json')) ? null : `chdb is not in ${PREFIX}`

/** chdb behind HTTP in a process of its own, with a database on a folder of its own. */
export class Chdb {
  readonly dir = mkdtempSync(join(tmpdir(), 'muster-chdb-data-'))
  port = 0
  #child: ChildProcess | null = null

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/events`
  }

  async start(): Promise<void> {
    const main = join(import.meta.dirname, 'chdb-main.ts')
    const child = spawn(process.execPath, [main, PREFIX, join(this.dir, 'data')], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    const [line] = (await Promise.race([
      once(child.stdout ?? child, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error('chdb ended'))),
    ])) as [Buffer]
    this.port = Number(line.toString())
  }

  /** Runs a statement and gives its answer as text. */
  async ask(sql: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.port}/?database=events`, { method: 'POST', body: sql })
    const text = (await response.text()).trim()
    if (!response.ok) throw new Error(text)
    return text
  }

  async end(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  async remove(): Promise<void> {
    await this.end()
    rmSync(this.dir, { recursive: true, force: true })
  }
}
