import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { refuse } from '../../core/kernel/errors.ts'
import { replaceFileDurably } from '../../platform/files.ts'
import { freePort } from '../../platform/free-port.ts'
import type { Logger } from '../../platform/logger.ts'
import { identify, isAlive, readProcessId, signalProcess, writeProcessId } from '../../platform/process.ts'
import { entryPoint } from '../../platform/spawn.ts'
import { textOf } from '../../platform/streams.ts'

/** What the node keeps of being asked for a leaf: once asked it runs one for good. */
const wishSchema = z.object({
  /** where other leaves reach it; null: by its socket, they are on this machine */
  port: z.int().positive().nullable(),
})

export interface NodeLeaf {
  leaf: string
  /** `unix:PATH` or `https://HOST:PORT` */
  address: string
}

export interface LeafKeeperOptions {
  /** the agent's folder */
  root: string
  socket: string
  /** of the node */
  address: string
  /** with which it shows whose node it is; null: everybody who may ask is on this machine */
  keyFile: string | null
  log: Logger
}

const LOOK_MS = 500
const BACKOFF_MS_MAX = 10_000
const START_MS_MAX = 15_000
const END_MS_MAX = 10_000
const ANSWER_MS_MAX = 2000

/** Keeps a leaf of scuba running on a node that was asked for one. The leaf outlives its agent; the next one takes it over. */
export class LeafKeeper {
  readonly #options: LeafKeeperOptions
  #timer: NodeJS.Timeout | null = null
  #restarts = 0
  #startAfterMs = 0
  #isEnding = false

  constructor(options: LeafKeeperOptions) {
    this.#options = options
  }

  /** Goes on with what was asked for before. */
  start(): void {
    if (this.#wish() !== null) this.#keep()
  }

  /** Runs a leaf from now on, and says how it is reached. @throws UNAVAILABLE when it does not start */
  async join(): Promise<NodeLeaf> {
    const { address, keyFile, socket } = this.#options
    let wish = this.#wish()
    if (wish === null) {
      wish = { port: keyFile === null ? null : await freePort(address) }
      mkdirSync(this.#options.root, { recursive: true, mode: 0o700 })
      replaceFileDurably(this.#wishFile, `${JSON.stringify(wish)}\n`)
    }
    this.#keep()
    for (const until = Date.now() + START_MS_MAX; Date.now() < until;) {
      const leaf = await this.#name()
      if (leaf !== null) return { leaf, address: wish.port === null ? `unix:${socket}` : `https://${address}:${wish.port}` }
      await sleep(50)
    }
    throw refuse('UNAVAILABLE', `the leaf does not answer; see ${this.#logFile}`)
  }

  /** Ends the leaf, until the agent is started again. */
  async stop(): Promise<void> {
    this.#isEnding = true
    this.detach()
    const id = readProcessId(this.#pidFile)
    if (id === null || !isAlive(id)) return
    signalProcess(id, 'SIGTERM')
    for (const until = Date.now() + END_MS_MAX; isAlive(id); await sleep(20)) if (Date.now() > until) signalProcess(id, 'SIGKILL')
  }

  detach(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
  }

  get #wishFile(): string {
    return join(this.#options.root, 'leaf.json')
  }

  get #pidFile(): string {
    return join(this.#options.root, 'leaf.pid')
  }

  get #logFile(): string {
    return join(this.#options.root, 'leaf.log')
  }

  #wish(): z.output<typeof wishSchema> | null {
    return existsSync(this.#wishFile) ? wishSchema.parse(JSON.parse(readFileSync(this.#wishFile, 'utf8'))) : null
  }

  #keep(): void {
    if (this.#isEnding) return
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS)
    this.#look()
  }

  #look(): void {
    const id = readProcessId(this.#pidFile)
    if ((id !== null && isAlive(id)) || Date.now() < this.#startAfterMs) return
    if (id !== null) this.#options.log.warn('the leaf is started again', { pid: id.pid, restarts: this.#restarts })
    this.#startAfterMs = Date.now() + Math.min(BACKOFF_MS_MAX, 500 * 2 ** Math.min(this.#restarts, 5))
    this.#restarts += 1
    this.#spawn()
  }

  /** In a session of its own, so that what ends the agent does not end it. */
  #spawn(): void {
    const { root, socket, address, keyFile } = this.#options
    const port = this.#wish()?.port ?? null
    const output = openSync(join(root, 'leaf.out'), 'a', 0o600)
    try {
      const peers = port === null || keyFile === null ? [] : ['--peers', `${address}:${port}`, '--keys', keyFile]
      const args = ['--dir', join(root, 'scuba'), '--socket', socket, '--log', this.#logFile, ...peers]
      const [command, file] = entryPoint('server/scuba/leaf-main')
      const child = spawn(command, [file, ...args], { detached: true, cwd: '/', stdio: ['ignore', output, output] })
      child.on('error', (error) => this.#options.log.error('the leaf could not be started', { error: String(error) }))
      child.unref()
      const id = child.pid === undefined ? null : identify(child.pid)
      if (id !== null) writeProcessId(this.#pidFile, id)
    } finally {
      closeSync(output)
    }
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
