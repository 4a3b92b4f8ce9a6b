import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { refuse } from '../../core/kernel/errors.ts'
import { replaceFileDurably } from '../../platform/files.ts'
import { freePort } from '../../platform/free-port.ts'
import type { Logger } from '../../platform/logger.ts'
import { entryPoint } from '../../platform/spawn.ts'
import { textOf } from '../../platform/streams.ts'
import { createSupervisor, type Supervisor } from '../../platform/supervisor.ts'

/** What the node keeps of being asked for a leaf: once asked it runs one for good. */
const wishSchema = z.object({
  /** where other leaves reach it; null: by its socket, they are on this machine */
  port: z.int().positive().nullable(),
  /** on which host, where that is not the node's own: beside a server it is that of the server */
  host: z.string().optional(),
})
type Wish = z.output<typeof wishSchema>

export interface NodeLeaf {
  leaf: string
  /** `unix:PATH` or `https://HOST:PORT` */
  address: string
  /** it shows the certificate of the server beside it, and not its node's */
  isServers: boolean
}

export interface LeafKeeperOptions {
  /** the agent's folder */
  root: string
  socket: string
  /** of the node */
  address: string
  /** with which it shows whose node it is; null: it is beside a server */
  keyFile: string | null
  /** of the server beside it, for when there are servers on other machines */
  serverKeyFile: string
  log: Logger
}

const NAME = 'scuba leaf'
const START_MS_MAX = 15_000
const END_MS_MAX = 10_000
const ANSWER_MS_MAX = 2000

/** Keeps a leaf of scuba running on a node that was asked for one. The leaf outlives its agent; the next one takes it over. */
export class LeafKeeper {
  readonly #options: LeafKeeperOptions
  #supervisor: Supervisor | null = null
  #isEnding = false

  constructor(options: LeafKeeperOptions) {
    this.#options = options
  }

  /** Goes on with what was asked for before. */
  start(): void {
    if (this.#wish() !== null) this.#keep()
  }

  /**
   * Runs a leaf from now on, and says how it is reached.
   * @param serverHost of one beside a server: on which host servers of other machines reach this one; null: there are none
   * @throws UNAVAILABLE when it does not start
   */
  async join(serverHost: string | null): Promise<NodeLeaf> {
    const { address, keyFile, socket } = this.#options
    const before = this.#wish()
    const wish = await this.#wanted(before, keyFile === null ? serverHost : null)
    if (before?.port !== wish.port || before.host !== wish.host) {
      mkdirSync(this.#options.root, { recursive: true, mode: 0o700 })
      replaceFileDurably(this.#wishFile, `${JSON.stringify(wish)}\n`)
      // One that runs was told where to listen when it was started.
      if (before !== null) await this.#end()
    }
    this.#keep()
    const host = wish.host ?? address
    const where = wish.port === null ? `unix:${socket}` : `https://${host.includes(':') ? `[${host}]` : host}:${wish.port}`
    for (const until = Date.now() + START_MS_MAX; Date.now() < until;) {
      const leaf = await this.#name()
      if (leaf !== null) return { leaf, address: where, isServers: keyFile === null && wish.port !== null }
      await sleep(50)
    }
    throw refuse('UNAVAILABLE', `the leaf does not answer; see ${this.#logFile}`)
  }

  async #wanted(before: Wish | null, serverHost: string | null): Promise<Wish> {
    const { address, keyFile } = this.#options
    if (serverHost !== null) return { port: before?.port ?? (await freePort(serverHost)), host: serverHost }
    return before ?? { port: keyFile === null ? null : await freePort(address) }
  }

  async #end(): Promise<void> {
    await this.#supervisor?.end(NAME, END_MS_MAX)
    this.#supervisor?.detach()
    this.#supervisor = null
  }

  /** Runs no leaf any more. Its folder stays under another name, until somebody removes it: another leaf of this node begins with none. */
  async leave(): Promise<{ folder: string | null }> {
    await this.#end()
    const folder = join(this.#options.root, 'scuba')
    const left = `${folder}-left`
    if (existsSync(folder)) {
      rmSync(left, { recursive: true, force: true })
      renameSync(folder, left)
    }
    // Last: what breaks off before is begun again.
    rmSync(this.#wishFile, { force: true })
    return { folder: existsSync(left) ? left : null }
  }

  /** Ends the leaf, until the agent is started again. */
  async stop(): Promise<void> {
    this.#isEnding = true
    await this.#supervisor?.end(NAME, END_MS_MAX)
    this.detach()
  }

  detach(): void {
    this.#supervisor?.detach()
  }

  get #wishFile(): string {
    return join(this.#options.root, 'leaf.json')
  }

  get #logFile(): string {
    return join(this.#options.root, 'leaf.log')
  }

  #wish(): Wish | null {
    return existsSync(this.#wishFile) ? wishSchema.parse(JSON.parse(readFileSync(this.#wishFile, 'utf8'))) : null
  }

  #keep(): void {
    if (this.#isEnding || this.#supervisor) return
    const { root, socket, address, keyFile, serverKeyFile, log } = this.#options
    this.#supervisor = createSupervisor(log)
    this.#supervisor.keep({
      name: NAME,
      pidFile: join(root, 'leaf.pid'),
      command: () => {
        const { port = null, host = address } = this.#wish() ?? {}
        const at = `${host.includes(':') ? `[${host}]` : host}:${port}`
        const peers = port === null ? [] : ['--peers', at, '--keys', keyFile ?? serverKeyFile]
        return [...entryPoint('server/scuba/leaf-main'), '--dir', join(root, 'scuba'), '--socket', socket, '--log', this.#logFile, ...peers]
      },
      cwd: '/',
      output: join(root, 'leaf.out'),
    })
  }

  /** What the leaf is called; null: it does not answer. */
  async #name(): Promise<string | null> {
    try {
      const text = await new Promise<string>((resolve, reject) => {
        const options = { socketPath: this.#options.socket, path: '/v1/scuba/observed', signal: AbortSignal.timeout(ANSWER_MS_MAX) }
        request(options, (response) => textOf(response).then(resolve, reject))
          .once('error', reject)
          .end()
      })
      return (JSON.parse(text) as { leaf: string }).leaf
    } catch {
      // It is still starting.
      return null
    }
  }
}
